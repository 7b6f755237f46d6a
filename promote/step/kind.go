package step

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/promote"
)

// Kind describes one kind of step.
type Kind struct {
	Name string // as a task names it in `uses`
	Does string // one sentence
	// Effect steps act on the outside world, or ask it. What they did stands when a promotion is made again: they are not
	// run a second time. All others only work on files, and are.
	Effect bool

	run func(*run, context.Context, promote.Step, config) (outcome, error)
}

// Kinds lists every kind of step by name.
func Kinds() []Kind {
	return []Kind{
		{"add-comment", "Writes a comment on the promotion's change, once.", true, (*run).addComment},
		{"analysis-prometheus", "Measures what a query of Prometheus gives, and judges it by conditions.", true, (*run).analysisPrometheus},
		{"analysis-web", "Measures what a URL answers, and judges it by conditions.", true, (*run).analysisWeb},
		{"argocd-update", "Refreshes and syncs exactly the named Argo CD applications, and waits until they are healthy at the desired revision.", true, (*run).argocd},
		{"argocd-wait", "Waits until Argo CD applications are synced and healthy, and starts nothing.", true, (*run).argocd},
		{"compose-output", "Gives its configuration as its output; in a task also as the task's.", false, (*run).composeOutput},
		{"copy", "Copies a file or a folder; symbolic links are left out.", false, (*run).copyFiles},
		{"delete", "Deletes files and folders, by path or by glob.", false, (*run).deletePaths},
		{"fail", "Fails the promotion with a message.", false, (*run).failStep},
		{"file-write", "Writes a file. Git keeps 0755 for what its owner may run, else 0644.", false, (*run).fileWrite},
		{"gha-dispatch-workflow", "Starts a workflow of GitHub Actions, and waits for it.", true, (*run).ghaDispatchWorkflow},
		{"git-clear", "Takes every file of a checkout away, so that what later steps write is all there is.", false, (*run).gitClear},
		{"git-clone", "Checks out branches, commits or tags. Nothing is cloned: files come when they are read.", false, (*run).gitClone},
		{"git-commit", "Commits the edits of a checkout; skipped when there are none.", false, (*run).gitCommit},
		{"git-merge-pr", "Has the promotion's change merged as soon as every gate passes, and waits for that.", false, (*run).gitMergePR},
		{"git-open-pr", "Opens the promotion's change, with the task's own title, description and labels.", false, (*run).gitOpenPR},
		{"git-push", "Proposes the commit: to a deployed branch by a change that must be merged, with generateTargetBranch to the proposal branch.", false, (*run).gitPush},
		{"git-tag", "Names the head of a checkout; git-push with that tag pushes it.", false, (*run).gitTag},
		{"git-wait-for-pr", "Waits until the promotion's change is merged.", false, (*run).gitWaitForPR},
		{"gitlab-trigger-pipeline", "Starts a pipeline of GitLab, and waits for it.", true, (*run).gitlabTriggerPipeline},
		{"helm-template", "Renders a Helm chart whose dependencies are in charts/, into one file or a folder of them.", false, (*run).helmTemplate},
		{"helm-update-chart", "Changes the versions of a chart's dependencies, with Chart.lock; archives of old versions in charts/ are removed.", false, (*run).helmUpdateChart},
		{"http", "Makes an HTTP request and judges the answer by expressions, again and again where they say so.", true, (*run).http},
		{"http-download", "Writes what a URL gives into a file.", false, (*run).httpDownload},
		{"json-parse", "Evaluates expressions over a JSON file.", false, (*run).jsonParse},
		{"json-update", "Changes values in a JSON file and not one other byte; missing keys are created.", false, (*run).jsonUpdate},
		{"kustomize-build", "Builds a kustomization, vendored Helm charts included, into one file or a folder of them.", false, (*run).kustomizeBuild},
		{"kustomize-set-image", "Sets images in a kustomization and not one other byte; unless told which, those of the freight.", false, (*run).kustomizeSetImage},
		{"oci-download", "Writes a layer of an OCI artifact into a file.", false, (*run).ociDownload},
		{"oci-push", "Copies an image, a chart or another artifact to another reference.", true, (*run).ociPush},
		{"send-message", "Sends a message to a channel of the server's configuration, once.", true, (*run).sendMessage},
		{"set-freight-alias", "Gives the freight that is promoted a name for people.", false, (*run).setFreightAlias},
		{"set-metadata", "Keeps values with a stage, or with a freight that the promotion carries.", false, (*run).setMetadata},
		{"tar", "Packs a file or a folder, gzipped unless told otherwise; equal files give equal archives.", false, (*run).tar},
		{"toml-parse", "Evaluates expressions over a TOML file.", false, (*run).tomlParse},
		{"toml-update", "Changes values in a TOML file and not one other byte.", false, (*run).tomlUpdate},
		{"untar", "Unpacks a tar archive, gzipped or not; links and devices are left out.", false, (*run).untar},
		{"wait-for-approval", "Waits until enough people have approved the freight for the stage, by /admit or by a review of its change.", true, (*run).waitForApproval},
		{"yaml-merge", "Lays YAML files over each other; later ones win, null deletes, lists are replaced.", false, (*run).yamlMerge},
		{"yaml-parse", "Evaluates expressions over a YAML file.", false, (*run).yamlParse},
		{"yaml-update", "Changes values in a YAML file and not one other byte. Tags stay text, numbers stay numbers; create: true adds a key.", false, (*run).yamlUpdate},
	}
}

func kindNames() []string {
	names := make([]string, 0, len(Kinds()))
	for _, kind := range Kinds() {
		names = append(names, kind.Name)
	}
	return names
}

// kindOf returns the kind of a step. An unknown one cannot be run.
func kindOf(step promote.Step) (Kind, error) {
	kinds := Kinds()
	if i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == step.Uses }); i >= 0 {
		return kinds[i], nil
	}
	text := fmt.Sprintf("there is no step %q", step.Uses)
	if near, ok := promote.Nearest(step.Uses, kindNames()); ok {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return Kind{}, fmt.Errorf("%s; the steps are %s", text, strings.Join(kindNames(), ", "))
}
