package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/internal/codeowners"
	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/step"
)

// readOwners reads the CODEOWNERS file of a tree, and says where it lies. Without one there is no path, and nobody owns anything.
func readOwners(tree fs.FS, dialect codeowners.Dialect) (file codeowners.File, path string, err error) {
	for _, path := range codeowners.Places(dialect) {
		data, err := manifest.ReadFile(tree, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return codeowners.File{}, path, err
		}
		file, err := codeowners.Parse(dialect, data)
		return file, path, err
	}
	return codeowners.File{}, "", nil
}

// likelyDialect is whose rules a tree's CODEOWNERS file most likely follows, for who checks a tree and knows no forge.
func likelyDialect(tree fs.FS) codeowners.Dialect {
	_, hub := fs.Stat(tree, ".github")
	_, lab := fs.Stat(tree, ".gitlab-ci.yml")
	if hub == nil && lab != nil {
		return codeowners.GitHub
	}
	return codeowners.GitLab
}

// maxOwnerFindings bounds what is said of a file: whoever reads it sees the first, and looks for the others.
const maxOwnerFindings = 20

// ownerFindings warns of what in the CODEOWNERS file says nothing, where a rule about commands asks for owners.
func (s Settings) ownerFindings(tree fs.FS) []promote.Finding {
	i := slices.IndexFunc(s.Commands, func(c CommandSettings) bool { return c.CodeOwners })
	if i < 0 {
		return nil
	}
	key := fmt.Sprintf("commands[%d].codeowners", i)
	warning := promote.Finding{Severity: promote.SeverityWarning, Code: "code-owners", Position: s.at(key)}
	dialect := likelyDialect(tree)
	file, path, err := readOwners(tree, dialect)
	switch {
	case err != nil:
		warning.Position = promote.Position{File: path}
		warning.Message, warning.Remedy = "the owners of files cannot be read: "+err.Error(), "correct it; until then nobody owns anything"
		return []promote.Finding{warning}
	case path == "":
		warning.Message = key + ": there is no CODEOWNERS file, so that nobody owns anything"
		warning.Remedy = "add one of " + strings.Join(codeowners.Places(dialect), ", ")
		return []promote.Finding{warning}
	}
	var findings []promote.Finding
	add := func(all []codeowners.Problem, format, remedy string) {
		for _, one := range all {
			finding := warning
			finding.Position = promote.Position{File: path, Line: one.Line}
			finding.Message, finding.Remedy = fmt.Sprintf(format, one.Text), remedy
			findings = append(findings, finding)
		}
	}
	add(file.Problems, "%s", "")
	add(file.Emails(), "%q is an e-mail address, which cannot be matched to an account", "name the account, to let it command as an owner")
	add(file.Roles(), "%q is a role, which cannot be told from higher ones", "name a group, to let its members command as owners")
	return findings[:min(len(findings), maxOwnerFindings)]
}

// maxOwnedFiles bounds whose owners are looked for: who writes more is let by teams.
const maxOwnedFiles = 1000

// owns says why a person does not own all files that a stage writes; empty when the person does.
func (r *Reconciler) owns(ctx context.Context, state promote.State, ref promote.StageRef, person promote.Person) (string, error) {
	files, err := r.stageFiles(ctx, state, ref)
	switch {
	case err != nil:
		return "", err
	case len(files) == 0:
		return "it is not known which files the stage writes", nil
	case len(files) > maxOwnedFiles:
		return fmt.Sprintf("the stage writes %d files, and owners are looked for of %d at most", len(files), maxOwnedFiles), nil
	}
	owners, path, err := readOwners(r.memory.repository.tree, r.CodeOwners)
	if err != nil {
		// It is a finding, and stays so until somebody corrects it.
		r.Log.WarnContext(ctx, "read code owners", "file", path, "error", err)
	}
	for _, file := range files {
		all := owners.Owners(file)
		owned, err := r.among(ctx, all, person)
		if err != nil {
			return "", err
		}
		if !owned {
			return disowned(file, all), nil
		}
	}
	return "", nil
}

// among reports whether a person is one of some owners, or belongs to one. Addresses and roles name nobody here.
func (r *Reconciler) among(ctx context.Context, owners []codeowners.Owner, person promote.Person) (bool, error) {
	for _, owner := range owners {
		if owner.Kind == codeowners.Account && strings.EqualFold(owner.Name, person.Name) {
			return true, nil
		}
	}
	for _, owner := range owners {
		group := owner.Kind == codeowners.Group || owner.Kind == codeowners.Account && r.CodeOwners == codeowners.GitLab
		if !group {
			continue
		}
		belongs, err := r.inGroup(ctx, owner.Name, person.Name)
		if err != nil || belongs {
			return belongs, err
		}
	}
	return false, nil
}

func disowned(file string, owners []codeowners.Owner) string {
	if len(owners) == 0 {
		return "nobody owns " + promote.CodeSpan(file)
	}
	names := make([]string, 0, len(owners))
	for _, owner := range owners[:min(len(owners), 5)] {
		names = append(names, promote.CodeSpan(owner.String()))
	}
	return promote.CodeSpan(file) + " is owned by " + strings.Join(names, ", ")
}

// stageFiles returns the files that a stage writes: those of the proposal that is open, else those that its steps would write
// now.
func (r *Reconciler) stageFiles(ctx context.Context, state promote.State, ref promote.StageRef) ([]string, error) {
	active, ok := state.History.Active(ref)
	if ok && active.Phase == promote.PhaseProposed {
		files, err := r.changed(ctx, active.Base, active.Head, active.Moves)
		if err != nil {
			return nil, fmt.Errorf("files of promotion %s: %w", active.ID, err)
		}
		return files, nil
	}
	return r.wouldWrite(ctx, state, ref)
}

// changed returns the files that differ between two commits, and those of moves, each once. Of a commit that is not there any
// more nothing is known.
func (r *Reconciler) changed(ctx context.Context, base, head promote.Commit, moves []promote.Move) ([]string, error) {
	var files []string
	if base != "" && head != "" && base != head {
		changed, err := r.Git.Diff(ctx, string(base), string(head))
		if errors.Is(err, git.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, change := range changed {
			files = append(files, change.Path)
		}
	}
	for _, move := range moves {
		files = append(files, move.File)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// wouldWrite returns the files that the steps of a stage would write now, with the newest freight that it takes.
func (r *Reconciler) wouldWrite(ctx context.Context, state promote.State, ref promote.StageRef) ([]string, error) {
	state.History.Freights = slices.Concat(state.History.Freights, found(state, ref.Project))
	freights := newestFreights(state, ref)
	if len(freights) == 0 {
		return nil, nil
	}
	proposal := promote.Propose{
		Stage: ref, Freight: freights[0], Promotion: "owners", Number: 1, Branch: promote.ProposalBranch(ref), Base: state.Head,
	}
	for _, other := range freights[1:] {
		proposal.Others = append(proposal.Others, other.ID)
	}
	promotion, err := r.begin(state, proposal)
	if err != nil {
		return nil, err
	}
	request, err := r.request(state, promotion)
	if err != nil {
		return nil, nil //nolint:nilerr // what keeps the stage from being promoted to is told there; its files are not known
	}
	request.Dry = true
	ran, err := step.Run(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("files that %s writes: %w", ref, err)
	}
	if ran.Failed {
		return nil, nil
	}
	return ran.Written, nil
}

// found is the freight that was discovered and may not be on record yet.
func found(state promote.State, project string) []promote.Freight {
	var all []promote.Freight
	for _, d := range state.Discoveries {
		if d.Project == project && d.Problem == "" && d.Len() > 0 {
			all = append(all, promote.NewFreight(project, d.Warehouse, d.Artifacts, d.At))
		}
	}
	return all
}

// newestFreights returns the newest freight of each warehouse that a stage takes freight of.
func newestFreights(state promote.State, ref promote.StageRef) []promote.Freight {
	pipeline, _ := state.Pipeline(ref.Project)
	stage, _ := pipeline.Stage(ref.Name)
	var freights []promote.Freight
	for _, wanted := range stage.Requests {
		var newest promote.Freight
		for _, f := range state.History.Freights {
			if f.Project == ref.Project && f.Warehouse == wanted.Warehouse && (newest.ID == "" || f.DiscoveredAt.After(newest.DiscoveredAt)) {
				newest = f
			}
		}
		if newest.ID != "" {
			freights = append(freights, newest)
		}
	}
	return freights
}
