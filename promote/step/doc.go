// Package step runs the steps of a promotion on files in memory: no checkout, no work tree on disk. It owns what each step
// means. It opens nothing, merges nothing and pushes nothing: where a step needs the outside world, the run stops and says
// what it waits for, and whoever called it goes on when that is there, on any machine, from the recorded results alone.
//
// # From a push to a change
//
// Kargo's git-push pushes to the branch that Argo CD deploys. Here the push is proposed instead: the commit goes to the
// stage's proposal branch, a change is opened into the branch that the task meant, and the run waits until that change is
// merged. A task that says git-push with generateTargetBranch, git-open-pr and git-wait-for-pr itself is followed to the
// letter; its generated branch is the proposal branch.
//
// After the merge the outputs of the steps name the commit that the target branch got, where they named the proposed one:
// outputs.commit.commit is what Argo CD will find on the branch.
//
// # Differences from Kargo
//
// A string that merely looks like a number stays the text it is, quoted or not: the update steps keep the type of the value
// that they replace. Edits change the value and not one other byte. yaml-merge keeps comments, and gives every use of an anchor
// a value of its own. Of the permissions of a file only what Git knows is kept: 0755 for what its owner may run, else 0644.
// imageFrom compares repositories by what they mean, not by how they are written. Unknown variables are errors.
//
// http without successExpression and failureExpression fails on an answer other than 2xx; in Kargo it runs for ever. What a step
// has sent, a message or a request that changes something, is on record before anything else is done. argocd-wait looks at
// nothing that Argo CD observed before the wait began. argocd-update does not edit Applications in the cluster. Secrets are
// taken out of outputs as well: no step can hand one on.
package step
