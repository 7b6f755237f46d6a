package devforge

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func listBranches(c *call) (reply, error) {
	search, err := c.params.text("search")
	if err != nil {
		return reply{}, err
	}
	refs, err := c.project.repo.refs()
	if err != nil {
		return reply{}, err
	}
	var names []string
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		if name, ok := strings.CutPrefix(ref, headsPrefix); ok && matchesBranch(name, search) {
			names = append(names, name)
		}
	}
	return shown(c, names, func(name string) (branchEntity, error) {
		return c.forge.showBranch(c.Context(), c.project, c.user, name)
	})
}

// matchesBranch: "^term" and "term$" anchor the search (doc/api/branches.md).
func matchesBranch(name, search string) bool {
	if start, ok := strings.CutPrefix(search, "^"); ok {
		return strings.HasPrefix(name, start)
	}
	if end, ok := strings.CutSuffix(search, "$"); ok {
		return strings.HasSuffix(name, end)
	}
	return strings.Contains(name, search)
}

func getBranch(c *call) (reply, error) {
	entity, err := c.forge.showBranch(c.Context(), c.project, c.user, c.PathValue("branch"))
	if errors.Is(err, errNoRevision) {
		return reply{}, missing("Branch")
	}
	return reply{body: entity}, err
}

func createBranch(c *call) (reply, error) {
	name, err := c.params.required("branch")
	if err != nil {
		return reply{}, err
	}
	from, err := c.params.required("ref")
	if err != nil {
		return reply{}, err
	}
	if !safeName(name) || commitID(name) {
		return reply{}, refuse(http.StatusBadRequest, "Branch name is invalid")
	}
	if !c.project.mayPush(c.user, name) {
		return reply{}, forbidden()
	}
	start, err := c.project.repo.commit(c.Context(), from)
	if errors.Is(err, errNoRevision) {
		return reply{}, refuse(http.StatusBadRequest, "Invalid reference name: "+from)
	}
	if err != nil {
		return reply{}, err
	}
	if _, err := c.project.repo.head(c.Context(), name); err == nil {
		return reply{}, refuse(http.StatusBadRequest, "Branch already exists")
	}
	if err := c.project.repo.setRef(c.Context(), headsPrefix+name, start, ""); err != nil {
		return reply{}, refuse(http.StatusBadRequest, "Failed to create branch '"+name+"': "+"invalid reference name '"+from+"'")
	}
	if err := c.forge.announce(c.Context(), c.project, c.user); err != nil {
		return reply{}, err
	}
	entity, err := c.forge.showBranch(c.Context(), c.project, c.user, name)
	return reply{http.StatusCreated, entity}, err
}

func deleteBranch(c *call) (reply, error) {
	name := c.PathValue("branch")
	head, err := c.project.repo.head(c.Context(), name)
	if errors.Is(err, errNoRevision) {
		return reply{}, missing("Branch")
	}
	if err != nil {
		return reply{}, err
	}
	_, protected := c.project.Protected[name]
	switch {
	case name == c.project.DefaultBranch:
		return reply{}, refuse(http.StatusMethodNotAllowed, "Cannot remove HEAD branch")
	case protected:
		return reply{}, refuse(http.StatusForbidden, "Protected branch cannot be removed")
	}
	if err := c.project.repo.setRef(c.Context(), headsPrefix+name, "", head); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, c.forge.announce(c.Context(), c.project, c.user)
}

const maxCommits = 1000

func listCommits(c *call) (reply, error) {
	from, err := c.params.text("ref_name")
	if err != nil {
		return reply{}, err
	}
	path, err := c.params.text("path")
	if err != nil {
		return reply{}, err
	}
	if from == "" {
		from = c.project.DefaultBranch
	}
	if path != "" && !safePath(path) {
		return reply{}, invalid("path is invalid")
	}
	id, err := c.project.repo.commit(c.Context(), from)
	if errors.Is(err, errNoRevision) {
		return reply{}, missing("Commit")
	}
	if err != nil {
		return reply{}, err
	}
	commits, err := c.project.repo.log(c.Context(), history{from: id, path: path, limit: maxCommits})
	if err != nil {
		return reply{}, err
	}
	return c.showCommits(commits)
}

func (c *call) showCommits(commits []commitRecord) (reply, error) {
	return shown(c, commits, func(one commitRecord) (commitEntity, error) { return c.forge.showCommit(c.project, one), nil })
}

// commit finds the commit named in the path.
func (c *call) commit() (string, error) {
	id, err := c.project.repo.commit(c.Context(), c.PathValue("sha"))
	if errors.Is(err, errNoRevision) {
		return "", missing("Commit")
	}
	return id, err
}

type statsEntity struct {
	Additions int `json:"additions"`
	Deletions int `json:"deletions"`
	Total     int `json:"total"`
}

type commitDetailEntity struct {
	commitEntity
	Stats        *statsEntity         `json:"stats,omitempty"`
	Status       *string              `json:"status"`
	ProjectID    int                  `json:"project_id"`
	LastPipeline *pipelineBasicEntity `json:"last_pipeline"`
}

func getCommit(c *call) (reply, error) {
	id, err := c.commit()
	if err != nil {
		return reply{}, err
	}
	one, err := c.project.repo.one(c.Context(), id)
	if err != nil {
		return reply{}, err
	}
	files, err := c.project.repo.diff(c.Context(), firstParent(one), id)
	if err != nil {
		return reply{}, err
	}
	entity := commitDetailEntity{commitEntity: c.forge.showCommit(c.project, one), ProjectID: c.project.ID, Stats: countLines(files)}
	for _, l := range slices.Backward(c.project.Pipelines) {
		if l.SHA == id {
			basic := c.forge.showPipelineBasic(c.project, l)
			entity.LastPipeline, entity.Status = &basic, &basic.Status
			break
		}
	}
	return reply{body: entity}, nil
}

func firstParent(c commitRecord) string {
	if len(c.parents) == 0 {
		return ""
	}
	return c.parents[0]
}

func countLines(files []fileDiff) *statsEntity {
	var stats statsEntity
	for _, file := range files {
		for line := range strings.Lines(file.text) {
			switch line[0] {
			case '+':
				stats.Additions++
			case '-':
				stats.Deletions++
			}
		}
	}
	stats.Total = stats.Additions + stats.Deletions
	return &stats
}

func getCommitDiff(c *call) (reply, error) {
	id, err := c.commit()
	if err != nil {
		return reply{}, err
	}
	one, err := c.project.repo.one(c.Context(), id)
	if err != nil {
		return reply{}, err
	}
	files, err := c.project.repo.diff(c.Context(), firstParent(one), id)
	if err != nil {
		return reply{}, err
	}
	return shown(c, files, func(d fileDiff) (diffEntity, error) { return showDiff(d), nil })
}

func listCommitRequests(c *call) (reply, error) {
	id, err := c.commit()
	if err != nil {
		return reply{}, err
	}
	var found []*mergeRequest
	for _, m := range c.project.Requests {
		commits, err := c.forge.requestCommits(c.Context(), c.project, m)
		if err != nil {
			return reply{}, err
		}
		if m.MergeCommit == id || m.SquashCommit == id || slices.ContainsFunc(commits, func(one commitRecord) bool { return one.id == id }) {
			found = append(found, m)
		}
	}
	return shown(c, found, func(m *mergeRequest) (requestBasicEntity, error) {
		return c.forge.showRequestBasic(c.Context(), c.project, m)
	})
}

type compareEntity struct {
	Commit         *commitEntity  `json:"commit"`
	Commits        []commitEntity `json:"commits"`
	Diffs          []diffEntity   `json:"diffs"`
	CompareTimeout bool           `json:"compare_timeout"`
	CompareSameRef bool           `json:"compare_same_ref"`
	WebURL         string         `json:"web_url"`
}

// compare starts at the merge base unless straight is set (doc/api/repositories.md).
func compare(c *call) (reply, error) {
	ids := map[string]string{}
	for _, name := range []string{"from", "to"} {
		revision, err := c.params.required(name)
		if err != nil {
			return reply{}, err
		}
		ids[name], err = c.project.repo.commit(c.Context(), revision)
		if errors.Is(err, errNoRevision) {
			return reply{}, missing("Ref")
		}
		if err != nil {
			return reply{}, err
		}
	}
	straight, err := c.params.boolean("straight")
	if err != nil {
		return reply{}, err
	}
	base := ids["from"]
	if !straight {
		if base, err = c.project.repo.mergeBase(c.Context(), ids["from"], ids["to"]); err != nil {
			return reply{}, err
		}
	}
	commits, err := c.project.repo.log(c.Context(), history{from: ids["to"], without: ids["from"], limit: maxCommits})
	if err != nil {
		return reply{}, err
	}
	files, err := c.project.repo.diff(c.Context(), base, ids["to"])
	if err != nil {
		return reply{}, err
	}
	entity := compareEntity{
		Commits: []commitEntity{}, Diffs: []diffEntity{}, CompareSameRef: ids["from"] == ids["to"],
		WebURL: fmt.Sprintf("%s/-/compare/%s...%s", c.forge.webURL(c.project), ids["from"], ids["to"]),
	}
	for _, one := range slices.Backward(commits) {
		entity.Commits = append(entity.Commits, c.forge.showCommit(c.project, one))
	}
	if n := len(entity.Commits); n > 0 {
		entity.Commit = &entity.Commits[n-1]
	}
	for _, file := range files {
		entity.Diffs = append(entity.Diffs, showDiff(file))
	}
	return reply{body: entity}, nil
}

func getMergeBase(c *call) (reply, error) {
	refs, err := c.params.list("refs")
	if err != nil {
		return reply{}, err
	}
	if len(refs) != 2 {
		return reply{}, invalid("refs is invalid")
	}
	var ids [2]string
	for i, revision := range refs {
		if ids[i], err = c.project.repo.commit(c.Context(), revision); errors.Is(err, errNoRevision) {
			return reply{}, refuse(http.StatusBadRequest, "Could not find ref: "+revision)
		} else if err != nil {
			return reply{}, err
		}
	}
	base, err := c.project.repo.mergeBase(c.Context(), ids[0], ids[1])
	if err != nil {
		return reply{}, err
	}
	if base == "" {
		return reply{}, missing("Merge Base")
	}
	one, err := c.project.repo.one(c.Context(), base)
	return reply{body: c.forge.showCommit(c.project, one)}, err
}

func getRawFile(c *call) (reply, error) {
	revision, err := c.params.text("ref")
	if err != nil {
		return reply{}, err
	}
	if revision == "" || revision == "HEAD" {
		revision = c.project.DefaultBranch
	}
	id, err := c.project.repo.commit(c.Context(), revision)
	if errors.Is(err, errNoRevision) {
		return reply{}, missing("Commit")
	}
	if err != nil {
		return reply{}, err
	}
	content, err := c.project.repo.file(c.Context(), id, c.PathValue("file_path"))
	if errors.Is(err, errNoRevision) {
		return reply{}, missing("File")
	}
	if err != nil {
		return reply{}, err
	}
	c.header.Set("Content-Type", "text/plain; charset=utf-8")
	c.header.Set("X-Gitlab-File-Path", c.PathValue("file_path"))
	c.header.Set("X-Gitlab-Commit-Id", id)
	c.header.Set("X-Gitlab-Ref", revision)
	return reply{body: content}, nil
}
