// Package promote is the domain: what is known, what should happen next, and why. It is pure. It performs no I/O, reads no
// clock and starts no goroutine; it imports the standard library and semver only.
//
// The one idea: everything that is known goes into a [State]; [Decide] turns it into a [Plan]; a thin shell
// (promote/reconcile) applies the plan's Actions and observes again. Bot, CI job, command line and dry run differ only in
// who calls the loop and what is done with the Plan.
//
// # Glossary
//
// One word per concept; where Kargo has a word, it is Kargo's.
//
//   - Warehouse: watches artifacts: container images, commits of Git repositories, Helm charts.
//   - Freight: one set of artifact versions that travel together. Its ID is computed exactly as Kargo computes it.
//   - Alias: a name of freight for people, such as brave-otter.
//   - Stage: a place that freight is promoted to.
//   - Pipeline: the directed acyclic graph of the warehouses and stages of one Project.
//   - Project: the unit of naming and policy.
//   - Promotion: one attempt to bring one freight to one stage.
//   - PromotionTask: the reusable steps of how. The Stage decides whether, the task says how.
//   - Step: one unit of work of a promotion, such as yaml-update or git-push.
//   - Change: a merge request or pull request, forge-neutral.
//   - Gate: a named condition with a [Verdict] and a reason that a person can act on.
//   - Plan: the ordered Actions that should happen next, with a verdict and a reason for every stage.
//   - Action: one effect, with a key: same key, same effect, once.
//   - Record: one fact in the ledger, the history of what has happened, kept in Git.
//   - Delivery: making Argo CD carry out a merged promotion, and watching it.
//   - Verification: the record that a freight runs well in a stage; it opens the next lock.
//   - Hold: a person's word that nothing more is promoted to a stage until resumed, or no freight of one warehouse automatically.
//   - Approval: a person's word that a freight may enter a stage, whatever its upstream stages say. That of a promotion's change on
//     the forge, a [ChangeApproval], counts as one for the head that it was given to.
//   - Review: what Lockkeeper says of the change of a person: a note, and the status that promotions have.
//   - Rejection: the word that a freight is bad: it is promoted to no stage of its project until it is accepted again.
//   - Rollback: the rejection of what a stage runs, and the promotion of what it ran before.
//   - Metadata: values that promotions keep with a freight or a stage.
//   - Target: one of the places that a stage fans out to; to Decide each is a stage of its own.
//   - Wave: the targets of a stage that are promoted to at once.
//   - Group: stages that share one change.
//   - Command: what a person asked for in a comment, such as /promote.
//   - Thread: a conversation on a change, mostly at a line of a file; a command in one is answered there.
//   - Finding: something wrong or noteworthy in the repository, with its place and a remedy.
//
// # Commit trailers
//
// A commit made by a promotion carries three trailers, so that Git history alone tells what runs where:
//
//	Lockkeeper-Stage: <project>/<stage>
//	Lockkeeper-Freight: <freight ID>
//	Lockkeeper-Promotion: <promotion ID>
//
// # Branches
//
// A promotion is proposed on the branch lockkeeper/<project>/<stage>, those of a group together on
// lockkeeper/<project>/+<group>. The ledger is the branch lockkeeper/ledger. Both
// belong to Lockkeeper: it replaces what others push to a proposal when newer freight supersedes it. It merges what it made
// itself and nothing else: a proposal with other commits on it is judged and shown, and merged by a person.
package promote
