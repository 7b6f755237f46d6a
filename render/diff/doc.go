// Package diff says what changes in the cluster between two renders: which objects, which of their fields, and what of
// that a reviewer must not miss.
//
// It is pure: sets of objects in, a [Report] out, and from a Report a text for the terminal ([Text]), for a merge
// request ([Markdown]) or for a machine ([JSON]). Equal input gives equal bytes. It does not render, read files or know
// a forge.
//
// # What counts as a change
//
// Objects are paired by [object.ID]; an object without a namespace is also paired with one in the destination namespace
// of its application. Fields are compared recursively. Lists that Kubernetes treats as maps are paired by their keys
// (containers by name, ports by number and protocol …), lists in kinds we do not know by name, id, key or mountPath
// where that is unique, everything else by the longest common subsequence. The order of keyed lists does not count,
// except for initContainers, which run in order. Not a change either: resource quantities that say the same (0.5 and
// 500m), a port as number or text, null, empty maps and lists where the Kubernetes API does not tell them from absent
// ones, status, fields the API server fills in, and the marks by which Argo CD tracks its objects.
//
// [Values] compares what is no object of a cluster, and takes every value as it is written.
//
// # What can hurt
//
// Beyond the fields, the facts tell of what only several objects say together: a workload that reads a ConfigMap or Secret, or a key
// of one, that the application does not deploy any more; pods that keep old values, because they read them only when a container
// starts (Kubernetes: environment variables and subPath mounts are not updated) and nothing replaces them; an application that
// gets another cluster, where Argo CD never prunes what it leaves behind.
//
// # What is never shown
//
// A Report holds no secret value: it is masked while comparing, before anything is stored, so no output can leak what
// another one hides. Masked are data and stringData of a core Secret (also when it is nested in another object), the
// annotation kubectl.kubernetes.io/last-applied-configuration, values whose name says what they are (environment
// variables, ConfigMap keys, fields and `key=value` assignments called password, token, api_key, dsn …), the user part
// of a URL, PEM blocks, and well-known token formats. A mark tells whether the value was added, removed, changed or
// kept, and whether it is empty, short or long; never the value, a hash or its length.
//
// # JSON
//
// [JSON] writes one object with the keys empty, counts {added, changed, removed}, unchanged and unknown (applications), facts and
// applications. A fact has kind, text, danger, grave, applications. An application has name, namespace, stage, kind,
// partial, unchanged (objects), from and to (clusters, when it moves), findings and objects; an object has id {group, kind, namespace, name}, kind, source {file, line,
// via}, fields [{path, kind, before, after}], base and head. Absent values are left out. Keys are only ever added.
package diff
