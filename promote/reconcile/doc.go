// Package reconcile is the loop: observe, decide, apply, until nothing is left to do. It owns the order of effects and what
// is remembered between two rounds. It decides nothing: package promote does.
//
// # Converging
//
// Every effect can be repeated. The process may die between any two of them, and events may come twice, late, out of order
// or never: the next run observes what is there and goes on. The order of effects is chosen so that what is there always
// says what is missing:
//
//  1. one push carries the proposal branch and the ledger record of the promotion, with the freight if it is new; a record
//     whose branch the forge refuses is taken back;
//  2. the change is opened from the branch; a second attempt finds the first one's change;
//  3. the status is posted on the head;
//  4. after the merge the record says Delivering before Argo CD is asked for anything;
//  5. the note on the change is written before the record says that the promotion is over, and is found by its marker.
//
// What is kept in memory may be lost at any time; it only saves work.
//
// # lockkeeper.yaml
//
// The file lockkeeper.yaml at the root of the default branch is optional. Its keys are the fields of [Settings].
package reconcile
