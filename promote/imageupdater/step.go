package imageupdater

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// checkoutPath is where the steps of a stage have their repository.
const checkoutPath = "./repo"

type cloneConfig struct {
	RepoURL  string           `json:"repoURL"`
	Checkout []checkoutConfig `json:"checkout"`
}

type checkoutConfig struct {
	Branch string `json:"branch,omitempty"`
	Path   string `json:"path"`
}

type setImageConfig struct {
	Path   string           `json:"path"`
	Images []setImageTarget `json:"images"`
}

type setImageTarget struct {
	Image   string `json:"image"`
	NewName string `json:"newName,omitempty"`
	Tag     string `json:"tag,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

type updateConfig struct {
	Path    string   `json:"path"`
	Updates []update `json:"updates"`
}

type update struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type commitConfig struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

type pushConfig struct {
	Path string `json:"path"`
}

type deployConfig struct {
	Apps []deployTarget `json:"apps"`
}

type deployTarget struct {
	Name      string         `json:"name"`
	Namespace string         `json:"namespace,omitempty"`
	Sources   []deploySource `json:"sources,omitempty"`
}

type deploySource struct {
	RepoURL         string `json:"repoURL"`
	DesiredRevision string `json:"desiredRevision"`
}

// steps are those of the Application's stage. When they cannot be said there is one that no promotion can run: a stage
// without steps would let freight pass.
func (l *loader) steps(a *application, images []image) []promote.Step {
	repository := a.repository()
	branch := a.branch(repository)
	where, known := a.target()
	var write promote.Step
	written := false
	if known && len(images) > 0 {
		write, written = l.write(a, images, where)
	}
	if !written || a.broken() {
		return []promote.Step{{Uses: "invalid", As: "update", Position: a.list().at}}
	}
	return []promote.Step{
		a.step("git-clone", "clone", cloneConfig{repository, []checkoutConfig{{branch, checkoutPath}}}),
		write,
		a.step("git-commit", "commit", commitConfig{checkoutPath, a.message(images)}),
		a.step("git-push", "push", pushConfig{checkoutPath}),
		a.step("argocd-update", "deploy", deployConfig{[]deployTarget{a.deploy(repository)}}),
	}
}

// step makes a step. Its configuration is made of texts, which can always be written as JSON.
func (a *application) step(uses, as string, config any) promote.Step {
	raw, _ := json.Marshal(config)
	return promote.Step{Uses: uses, As: as, Config: raw, Position: a.list().at}
}

// message tells in the commit what it brings.
func (a *application) message(images []image) string {
	var b strings.Builder
	b.WriteString("build: update " + a.name + "\n")
	for _, one := range images {
		fmt.Fprintf(&b, "\n- %s %s", one.repo, one.tag(false))
	}
	return b.String()
}

// deploy says what Argo CD syncs. A source that is not the repository which was written to has its own revision.
func (a *application) deploy(repository string) deployTarget {
	out := deployTarget{Name: a.name, Namespace: a.namespace}
	for _, source := range a.sources {
		if source.Chart == "" && promote.SameGitRepository(source.RepoURL, repository) {
			out.Sources = []deploySource{{source.RepoURL, "${{ outputs.commit.commit }}"}}
			break
		}
	}
	return out
}

// setImage makes the step that changes a kustomization.
func (a *application) setImage(images []image, folder string) promote.Step {
	config := setImageConfig{Path: inCheckout(folder)}
	for _, one := range images {
		name, renamed := a.kustomizeName(one)
		target := setImageTarget{Image: name}
		if renamed {
			target.NewName = one.repo
		}
		if one.subscription.Strategy == promote.SelectDigest {
			target.Digest = fmt.Sprintf("${{ imageFrom(%q).Digest }}", one.repo)
		} else {
			target.Tag = one.tag(true)
		}
		config.Images = append(config.Images, target)
	}
	return a.step("kustomize-set-image", "update", config)
}

// yamlUpdate makes the step that changes values of a file.
func (a *application) yamlUpdate(file string, updates []update) promote.Step {
	return a.step("yaml-update", "update", updateConfig{inCheckout(file), updates})
}

// inCheckout is the path of a file or folder of the repository in a step.
func inCheckout(name string) string {
	if name == "." {
		return checkoutPath
	}
	return checkoutPath + "/" + name
}

// tag is the template for what stands behind the colon of an image; whole asks for it as a value of its own, which must stay
// text.
func (i image) tag(whole bool) string {
	from := fmt.Sprintf("imageFrom(%q)", i.repo)
	switch {
	case i.subscription.Strategy == promote.SelectDigest:
		return fmt.Sprintf("${{ %s.Tag }}@${{ %s.Digest }}", from, from)
	case whole:
		return fmt.Sprintf("${{ quote(%s.Tag) }}", from)
	}
	return fmt.Sprintf("${{ %s.Tag }}", from)
}

// reference is the template for the image with its tag.
func (i image) reference() string { return i.repo + ":" + i.tag(false) }
