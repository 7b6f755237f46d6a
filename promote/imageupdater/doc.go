// Package imageupdater turns Argo CD Applications that carry the annotations of Argo CD Image Updater into a pipeline, so
// that their updates are promotions like any other: proposed as a change, judged by the gates, and recorded.
//
// It reads annotations, and the few files beside them that say where a version is written. It does not ask registries, edit
// files or look into a cluster, and it does not read the ImageUpdater resource that newer versions of Image Updater have, nor
// Applications that an ApplicationSet makes: each is a warning that says what to write instead.
//
// # What an Application becomes
//
// All Applications are in one pipeline, whose project is [Project]. Each gives one warehouse and one stage with the
// Application's name. The warehouse subscribes to every image of the list, the stage takes its freight directly and is
// auto-promoted, and the steps are git-clone, kustomize-set-image or yaml-update, git-commit, git-push and argocd-update. The
// Application itself authorizes its stage; see [AuthorizedStage].
//
// # Annotations
//
// All begin with "argocd-image-updater.argoproj.io/". An <option> below is looked for as "<alias>.<option>" and then, where
// Image Updater has it too, as "<option>" for all images of the Application. [Annotations] lists them, with what each becomes.
//
// # Where a version is written
//
// A target that is named is used. Otherwise write-back-method git means ".argocd-source-<application>.yaml" in the
// Application's path, and write-back-method argocd the Application's own manifest, because the cluster alone is no place for
// a promotion. Only what stands there already is changed. An Application that uses Kustomize and has nothing to change there
// gets its version in its kustomization.yaml, which a finding says.
//
// A constraint is read as Image Updater reads it: tags need not be whole semantic versions, and without a constraint
// pre-releases count.
//
// # Findings
//
// An Application without a list of images has no stage; what is strange about its annotations is a warning. Every other finding
// about an Application names its stage. One of severity error keeps the stage from promoting, and its warehouse
// from making freight: a value that Image Updater would pass over, such as a filter that is mistyped, must not widen what is
// deployed by itself.
package imageupdater
