// Package doctor judges an installation: facts about a forge, a repository, Argo CD and registries go in, findings come out, each
// with what was found, what to do, and what a program could do about it.
//
// It asks nobody and changes nothing: who calls it gathers the facts, and carries out a [Fix] or leaves it. A fact that could not
// be had is an error in its place, and a finding of its own: nothing is guessed.
package doctor
