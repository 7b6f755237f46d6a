// Package kustomize builds a kustomization as "kustomize build" does, from an [io/fs.FS], without network or processes.
//
// Building is kustomize's own library (krusty) over a file system that reads from the tree on demand. The root of the
// tree is the root of that file system: kustomize may load from anywhere, and there is nowhere else. Links are refused.
//
// # What is refused
//
// Everything that would leave the tree or run something is refused before kustomize sees it, with the file, the line and
// the address: remote resources, components, patches and files of any kind, plugins other than the built-in ones, and
// configurations of generators, transformers and validators that come from another kustomization, because what that would
// make of them cannot be checked.
//
// # Helm charts
//
// The entries of helmCharts whose chart is in the tree are rendered by package helm and take part as resources, marked as
// kustomize marks what it inflates, so that the namespace of the kustomization is left to the chart. They come after the
// other resources and before generated ConfigMaps and Secrets, where kustomize puts them behind these.
//
// # Bounds
//
// [Limits] bounds what is read, how often, what is built and the time. kustomize cannot be interrupted between two reads,
// so time is checked at each of them, and what vars and replacements copy is bounded only as a part of the output. It also keeps global state: builds run one after the other.
package kustomize
