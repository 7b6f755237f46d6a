// Package argocd makes Argo CD carry out a merged promotion and says when that is done.
//
// It owns a token-authenticated client of Argo CD's REST API ([Client]), the rule that decides from one observation of an
// Application whether a revision is delivered ([Judge]), and one round of observing and acting ([Client.Step]), to be repeated
// until that is so. It does not decide what is to be delivered, when, or what a failure means for the pipeline.
//
// # The rule
//
// An application has reached a revision when no operation is in progress, it was compared with that revision and is Synced,
// the operation that applied it did not fail, and its health is Healthy. Health counts only when it was observed after the
// operation ended (status.reconciledAt is not before status.operationState.finishedAt, in whole seconds, which is all that Argo
// CD keeps), and only after it has lasted for a while, because controllers notice a changed object late.
//
// # Sync
//
// With automated sync on, Argo CD follows the tracked branch by itself: the application is refreshed, and a sync is asked for
// only if none begins, without naming a revision, since Argo CD refuses any other than the tracked one. With automated sync
// off, it is synced to exactly the merged commit. Each operation that this package starts carries the promotion's ID as the
// info item [InfoPromotion], which comes back in the operation's state: this is how a later round, in whatever process,
// recognises its own work and does not repeat it.
//
// # Permissions
//
// The token needs, for each Argo CD project P it delivers to:
//
//	p, proj:P:lockkeeper, applications, get, P/*, allow
//	p, proj:P:lockkeeper, applications, sync, P/*, allow
package argocd
