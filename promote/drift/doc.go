// Package drift compares folders of one tree that should be alike: those of one component in several environments.
//
// It owns the rules that say which folders these are and what belongs to one of them alone, the comparison, and how its
// result is written. It reads an fs.FS and nothing else: no clone, no network, no cluster. How values are compared, masked
// and made safe to show is [diff]'s.
//
// # What drifts
//
// Files are paired by their path in the folder. A file drifts when it is in one folder only, or when its content differs. Of
// YAML and JSON files it is the values that count, not comments, the order of keys or how a text is quoted; documents are
// paired by kind, namespace and name, then by kind and name, then by kind, and what is left by its place in the file. Of
// every other file only that it differs is told. Links are not followed.
//
// # What is left out
//
// An exclusion is a glob of files, or a glob of files, a colon and the key of a value:
//
//	README.md                                     a file or folder of this name, at any depth
//	own/                                          a folder of this name, with what is in it
//	docs/*.md                                     from the folder on, because it has a slash
//	**/test/*.yaml                                ** stands for any number of folders
//	instance.yaml:spec.values.deployment.replicas a value and what is below it
//	*.yaml:metadata.annotations.example\.com/*    * stands for any part of a key; a dot of the key itself has a \ before it
//	*.yaml:spec.containers[name=web].image        an item of a list by what it holds, by its place as [0], or all as [*]
//	values.yaml:["app.yaml"].port                 a key in quotes is taken as it is
//
// The paths of a report can be used as keys as they are printed.
package drift
