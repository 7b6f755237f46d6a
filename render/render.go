// Package render computes, offline, which Kubernetes objects a commit of a GitOps repository deploys.
//
// It finds Argo CD Applications and ApplicationSets and kro ResourceGraphDefinitions by their kind, makes the
// Applications, renders their sources and expands kro instances. It reads nothing but the tree it is given: no cluster, no
// network, and no process but workers of this very program, for what could not be stopped otherwise. What only a cluster knows is marked in the objects ([object.Object.Unknown]). What is wrong is a
// [Finding] with its place; one broken application does not keep the others from being rendered.
//
// It does not compare objects; that is render/diff. It does not decide what a finding means for a promotion.
package render

import (
	"context"
	"io/fs"

	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/check"
	"github.com/lockkeeper/lockkeeper/render/finding"
	"github.com/lockkeeper/lockkeeper/render/kro"
	"github.com/lockkeeper/lockkeeper/render/object"
)

// Finding is one thing that a person should know about what was rendered.
type Finding = finding.Finding

// Severity says how bad a finding is.
type Severity = finding.Severity

// The severities of findings.
const (
	Error   = finding.Error
	Warning = finding.Warning
	Info    = finding.Info
)

// Repository is a GitOps repository at one commit.
type Repository struct {
	Tree fs.FS    // required; may also be a manifest.Identifier and a manifest.Prefetcher, which saves most of the work
	URLs []string // required; how Argo CD's manifests may name this repository; spelling and scheme do not matter
	// Revision is the branch that Tree stands for, which for the head of a change is the branch that it goes to. Sources
	// of another branch or tag are not rendered. "" or a commit id stands for whatever the sources name.
	Revision string
	// At returns the repository at another branch or tag, or at a commit, for sources that deploy from there. One that is not
	// there is an error that wraps fs.ErrNotExist. nil: other revisions are not looked at.
	At func(ctx context.Context, revision string) (Remote, error)
}

// Options restricts what is looked at.
type Options struct {
	Applications []string         // files and folders with Applications and ApplicationSets; empty means everywhere
	Definitions  []string         // files and folders with ResourceGraphDefinitions; empty means everywhere
	Clusters     []argocd.Cluster // that Argo CD knows, for clusters generators and charts, beside those whose Secrets are in the repository
	Generators   []argocd.Fixture // what generators are told that ask something outside of the repository
	Fetch        []string         // URLs below which charts and repositories may be fetched; empty means nowhere
	Checks       check.Options    // what rendered objects are held against
	Kro          kro.Version      // whose rules count
	// DefinitionTrees hold definitions that are not in the repository, and DefinitionRepositories those of which Remotes is asked.
	DefinitionTrees        []DefinitionTree
	DefinitionRepositories []DefinitionRepository
	// NewGitFileGlobbing says that Argo CD runs with applicationsetcontroller.enable.new.git.file.globbing.
	NewGitFileGlobbing bool
	Base               *Options // what counts for the base of a comparison; nil means the same
}

// Set is what a commit deploys, before anything is rendered. Sets are shared and must not be changed.
type Set struct {
	Applications []argocd.Application // in the order of their files
	Definitions  []kro.Definition
	Findings     []Finding // about the manifests of applications and definitions

	program  *kro.Program
	rules    *check.Rules // nil in a Set that was not found in a tree
	projects map[string]argocd.Project
	borders  *borders               // of the tree that it was found in
	roots    map[writtenAt][]string // the Applications that deploy what is written there
	unknown  map[string]bool        // Applications, by key, of which it is not known what they declare
	clusters []argocd.Cluster       // that are known
	fetch    []string               // Options.Fetch and Engine.Fetch

	definitions map[k8s.GroupVersionKind]string // what was defined, by [kro.Program.Key]
	projectsKey string
}

// Result is what one Application deploys.
type Result struct {
	Application argocd.Application
	Objects     []object.Object // in the order of the sources; the objects that kro makes right behind their instance
	Hooks       []object.Object // run around a sync and not part of what is kept in the cluster
	Findings    []Finding
	Inputs      []string // files read, sorted
	// Failed says that the objects could not be determined; the error findings say why. Objects is empty then, which does
	// not mean that everything is deleted.
	Failed bool
	// Partial says that objects are missing from Objects because one of the sources was not rendered, such as a Helm chart,
	// or a kro instance could not be expanded; a finding says which. An object that is missing then is not deleted.
	Partial bool
	// Key is equal for equal inputs: the application's own fields, the content of its folders, the definitions that its
	// objects use and what they are checked by. Results with equal keys have equal objects and findings.
	Key string

	late  bool // it was not finished in time, so it may end otherwise another time
	moves bool // equal content of the repository may give another one another time
}

// AppComparison is one Application on two commits.
type AppComparison struct {
	Name string  // the Application's key: its name, with its namespace in front when it has one
	Base *Result // nil when the Application is added
	Head *Result // nil when the Application is removed

	BaseCluster, HeadCluster string // the clusters that it deploys to, "" when unknown
}

// Comparison is what a change does to what is deployed.
type Comparison struct {
	Apps     []AppComparison // those that may differ, sorted by name
	Findings []Finding       // about the manifests of applications and definitions at head
	// Definitions says what of changed definitions kro or the API server refuses, and which instances keep an old default.
	Definitions []Finding
	Unchanged   int // how many Applications deploy the same on both sides
	BaseSet     Set // what base deploys, as [Engine.Applications] says
	HeadSet     Set // what head deploys
}
