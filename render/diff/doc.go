// Package diff says what changes in the cluster between two renders: which objects, which of their fields, and what of
// that a reviewer must not miss.
//
// It is pure: sets of objects in, a [Report] out, and from a Report a text for the terminal ([Text]), for a merge
// request ([Markdown]), a page with a search ([HTML]), unified diffs ([Patch]) or one for a machine ([JSON]). Equal input gives
// equal bytes. It does not render, read files or know a forge; what is known of images is handed in with [Options].
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
// A text that is a document (see [github.com/lockkeeper/lockkeeper/render/diff/document]) is compared by what it means, and each
// of its values has a path of its own: data["app.yaml"].server.port. In it everything counts that a program could see: the
// order of every list, null, empty and absent, a number and its text. When nothing of that differs, the change is "only
// formatting". Of other texts of several lines the lines are compared.
//
// [Values] compares what is no object of a cluster, and takes every value as it is written.
//
// # Other names
//
// Of the objects that only one side has, those that are much alike are one under two names: the same values but for the name, of
// one kind or of kinds that replace each other, such as a Deployment and a StatefulSet. ConfigMaps and Secrets whose names
// differ in kustomize's hash alone are always one. For the cluster the old one goes and a new one comes, and the facts say what
// that loses. Applications are paired in the same way, by all that they deploy. What is alike is estimated from a sample of a
// fixed size, so that the cost grows with the number of objects.
//
// # What is shown once, or in one line
//
// Text, Markdown and HTML show applications in which the same changes together, apart from their names, stages and namespaces.
// They fold [Noise], the labels of a chart and the like, into one line for each application; never what selects pods, and
// never in silence. JSON and patches have everything.
//
// # What can hurt
//
// Beyond the fields, the facts tell of what only several objects say together: a workload that reads a ConfigMap or Secret, or a key
// of one, that neither the application nor its hooks deploy any more; pods that keep old values, because they read them only when
// a container starts (Kubernetes: environment variables and subPath mounts are not updated) and nothing replaces them; pods that
// restart; objects whose kind nothing defines, not yet, or not any more; replicas that an autoscaler owns; budgets that let no
// pod go; an application that gets another cluster, where Argo CD never prunes what it leaves behind. What Argo CD does not
// delete (Prune=false, and with an application Delete=false, helm.sh/resource-policy: keep and CustomResourceDefinitions) is said to
// stay.
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
// In a document the same holds for its values, and maps and lists with the name of a secret are hidden as a whole. A document
// that has something to hide is written anew wherever it would be shown, without its comments, because a secret may be written
// in ways that a look at the lines does not find; one with YAML aliases is hidden as a whole, because in another place the secret
// has another name. In texts that cannot be read as a document, the lines and brackets below such a name are hidden.
//
// # JSON
//
// [JSON] writes one object with the keys empty, counts {added, changed, removed, renamed}, unchanged and unknown (applications),
// facts, findings [{severity, message, where}] and applications. A fact has kind, text, danger, grave, applications, links. An application has name, was (its name at
// base, when another), namespace, stage, kind, partial, unchanged (objects), from and to (clusters, when it moves), findings and
// objects; an object has id {group, kind, namespace, name}, kind (added, changed, removed, renamed), was (its id at base, when
// renamed), source {file, line, via}, fields [{path, kind, before, after, only, noise}], base and head. only is "formatting"
// where a document means the same; noise says why a change is folded elsewhere. Absent values are left out. Keys are only ever
// added.
package diff
