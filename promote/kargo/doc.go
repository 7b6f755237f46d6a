// Package kargo turns Kargo manifests into the domain's pipelines, strictly: what it does not understand is a finding with
// file, line, column and a remedy, never silence.
//
// It reads Project, ProjectConfig, Warehouse, Stage, PromotionTask and ClusterPromotionTask of kargo.akuity.io/v1alpha1 in
// every spelling from Kargo 1.0 on, and AnalysisTemplate and ClusterAnalysisTemplate of argoproj.io/v1alpha1 as far as stages
// use them; what later versions removed is accepted with a warning where its meaning is still clear. It expands tasks, and
// checks what can be checked without a registry, a cluster or the files that the steps edit: references between objects,
// cycles, expressions, the configuration of steps, and paths against checkouts.
//
// It does not run steps, evaluate expressions or ask registries, and it does not read lockkeeper.yaml.
//
// # Verification
//
// Each metric of the analysis templates that a stage names becomes a step in [promote.Stage.Verify]: "analysis-web" or
// "analysis-prometheus", named "verify-<template>-<metric>", with the metric's keys as configuration. {{args.name}} is
// replaced by text. An argument of the stage that holds an expression becomes the variable "args.<name>" of the step
// instead, so that it is evaluated by itself, with the variables of the stage; one from a secret becomes a call of secret().
// A metric of a dry run continues on error. A metric that cannot be understood stays as a step that no runner knows, so that
// a stage with errors verifies nothing.
//
// # Findings
//
// A finding of severity error names the stage it keeps from promoting. What is wrong with a warehouse or a task is reported
// once for every stage that uses it; when no stage does, it is a warning. Only what concerns all stages, such as a missing
// Project, names the project alone.
//
// A step that could not be understood stays in [promote.Stage.Steps] under the name that was written, so that a stage with
// errors is never mistaken for a control-flow stage, which has no steps and verifies freight by itself.
package kargo
