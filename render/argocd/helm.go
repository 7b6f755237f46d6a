package argocd

import (
	"encoding/json"
	"fmt"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
)

// Helm is what an Application says to Helm (spec.source.helm).
type Helm struct {
	ReleaseName             string          `json:"releaseName"`
	Namespace               string          `json:"namespace"`
	ValueFiles              []string        `json:"valueFiles"`
	IgnoreMissingValueFiles bool            `json:"ignoreMissingValueFiles"`
	Values                  string          `json:"values"`
	ValuesObject            json.RawMessage `json:"valuesObject"` // counts instead of Values
	Parameters              []HelmParameter `json:"parameters"`
	FileParameters          []HelmFile      `json:"fileParameters"`
	KubeVersion             string          `json:"kubeVersion"`
	APIVersions             []string        `json:"apiVersions"`
	SkipCRDs                bool            `json:"skipCrds"`
	SkipTests               bool            `json:"skipTests"`
	SkipSchemaValidation    bool            `json:"skipSchemaValidation"`
}

// HelmParameter is one value, as by --set, or --set-string with ForceString.
type HelmParameter struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	ForceString bool   `json:"forceString"`
}

// HelmFile is one value that stands in a file, as by --set-file.
type HelmFile struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Kustomize is what an Application adds to a kustomization (spec.source.kustomize).
type Kustomize struct {
	NamePrefix                string             `json:"namePrefix"`
	NameSuffix                string             `json:"nameSuffix"`
	Namespace                 string             `json:"namespace"`
	Images                    []string           `json:"images"` // [old=]name[:tag|@digest]
	Replicas                  []KustomizeReplica `json:"replicas"`
	CommonLabels              map[string]string  `json:"commonLabels"`
	ForceCommonLabels         bool               `json:"forceCommonLabels"`
	LabelWithoutSelector      bool               `json:"labelWithoutSelector"`
	LabelIncludeTemplates     bool               `json:"labelIncludeTemplates"`
	CommonAnnotations         map[string]string  `json:"commonAnnotations"`
	ForceCommonAnnotations    bool               `json:"forceCommonAnnotations"`
	CommonAnnotationsEnvsubst bool               `json:"commonAnnotationsEnvsubst"`
	Patches                   []json.RawMessage  `json:"patches"` // as in a kustomization
	Components                []string           `json:"components"`
	IgnoreMissingComponents   bool               `json:"ignoreMissingComponents"`
	KubeVersion               string             `json:"kubeVersion"`
	APIVersions               []string           `json:"apiVersions"`
}

// KustomizeReplica is how many replicas an object gets.
type KustomizeReplica struct {
	Name  string      `json:"name"`
	Count intOrString `json:"count"`
}

// Jsonnet is what an Application gives to its Jsonnet files (spec.source.directory.jsonnet).
type Jsonnet struct {
	TLAs    []JsonnetVariable `json:"tlas"`
	ExtVars []JsonnetVariable `json:"extVars"`
	Libs    []string          `json:"libs"` // folders for imports, relative to the root of the repository
}

// JsonnetVariable is a top-level argument or an external variable.
type JsonnetVariable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Code  bool   `json:"code"` // Value is Jsonnet and not a text
}

// intOrString is a number that may be written as a text.
type intOrString string

// UnmarshalJSON takes a number or a text.
func (n *intOrString) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(n))
	}
	var number json.Number
	if err := json.Unmarshal(raw, &number); err != nil {
		return err
	}
	*n = intOrString(number)
	return nil
}

// HelmOptions reads the block helm. Unknown keys are passed over, as Argo CD's definition drops them.
func (s Source) HelmOptions() (Helm, error) {
	var out Helm
	return out, options("helm", s.Helm, &out)
}

// KustomizeOptions reads the block kustomize, as HelmOptions does.
func (s Source) KustomizeOptions() (Kustomize, error) {
	var out Kustomize
	return out, options("kustomize", s.Kustomize, &out)
}

// JsonnetOptions reads the block directory.jsonnet, as HelmOptions does.
func (s Source) JsonnetOptions() (Jsonnet, error) {
	var out Jsonnet
	if s.Directory == nil {
		return out, nil
	}
	return out, options("directory.jsonnet", s.Directory.Jsonnet, &out)
}

func options(block string, written map[string]any, into any) error {
	if len(written) == 0 {
		return nil
	}
	raw, err := json.Marshal(written)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return &manifest.Error{Problem: fmt.Sprintf("the source's block %s cannot be read: %v", block, err), Remedy: "correct the types of its values", Cause: err}
	}
	return nil
}

// Variables are the build environment variables by which a source may name its Application, as $ARGOCD_APP_NAME. The
// revision is the same for every commit: two renders are to differ by what is deployed, not by which commit is looked at.
func (a Application) Variables(s Source) func(name string) string {
	const revision = "0000000000000000000000000000000000000000"
	known := map[string]string{
		"ARGOCD_APP_NAME": a.Name, "ARGOCD_APP_NAMESPACE": a.Destination.Namespace, "ARGOCD_APP_PROJECT_NAME": a.Project,
		"ARGOCD_APP_REVISION": revision, "ARGOCD_APP_REVISION_SHORT": revision[:7], "ARGOCD_APP_REVISION_SHORT_8": revision[:8],
		"ARGOCD_APP_SOURCE_REPO_URL": s.RepoURL, "ARGOCD_APP_SOURCE_PATH": s.Path, "ARGOCD_APP_SOURCE_TARGET_REVISION": s.TargetRevision,
	}
	return func(name string) string {
		if name == "$" {
			return "$"
		}
		return known[name]
	}
}
