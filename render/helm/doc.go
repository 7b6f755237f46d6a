// Package helm renders a Helm chart as "helm template" does, from an [io/fs.FS], without a cluster, a network or a process.
//
// Loading, values, dependencies, capabilities and the order of the output are Helm's own packages (v4). Executing the
// templates is not: Helm's engine cannot be stopped, knows no bound on what it writes, and a value that holds itself
// makes it overflow the stack, which ends the process. This package therefore runs text/template with Helm's functions
// under a budget, and tests hold it against Helm's engine.
//
// # What differs from Helm
//
//   - "lookup" finds nothing and "getHostByName" is empty, as in "helm template" without a cluster.
//   - A JSON schema may not refer to other files or to the network.
//   - "keys" and "values" answer in the order of the keys, so that equal input gives equal output.
//   - Symbolic links in a chart are refused.
//
// Functions that answer differently on every call are run and reported in [Output.NonDeterministic]: what they make shows
// up in every comparison of two renders.
//
// # Bounds
//
// The chart with its unpacked archives, the number of its files, the output, every intermediate text and the time are
// bounded by [Limits]; so are, by constants, what is made on the way altogether, the nesting of includes and blocks, and the
// number of charts that dependencies and their aliases amount to. Time is checked on every iteration of a loop, every template that is
// entered and every function that is called, so no work goes on after [Template] returned.
package helm
