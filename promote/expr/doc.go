// Package expr evaluates the expressions in Kargo's YAML: `${{ … }}` and `${% … %}` inside string values, and the expressions
// that some keys hold without delimiters.
//
// # Templates
//
// The earliest delimiter wins and an expression ends at the first matching end delimiter; one that contains "}}" is written
// between `${%` and `%}`. Without a delimiter a string is left alone. Of maps and lists the values are evaluated, never the keys.
// The language is expr-lang's with all its functions; the names an expression may see are an Env.
//
// # Types
//
// The type of the result follows Kargo: literal text and results are concatenated (strings as they are, all else as
// JSON); one final line break is taken off; a text in double quotes is the string between them; else what
// strconv.ParseFloat accepts is a number, what strconv.ParseBool accepts a boolean, what is valid JSON that value, and
// the rest a string, with its line break. A string that looks like a number is thereby retyped: the tag "1.10" becomes
// 1.1. A Value knows when that happened and keeps the text.
//
// # Variables
//
//	ctx           uiBaseUrl, project, promotion, stage, targetFreight{name, alias, origin{name}},
//	              meta{promotion{actor, rollback}, step{alias}}
//	vars          the variables declared before
//	outputs       by the alias of a step, what it put out
//	task.outputs  the same by the short alias, in the steps of a task
//	target        name, params and labels, in a stage with targets
//	stepMetas     by the alias of a step: alias, errorCount, status, message, continueOnError
//
// # Functions
//
// Of the freight of the promotion, each also with warehouse(name) as the last argument:
//
//	imageFrom(repoURL)         RepoURL, Tag, Digest, Annotations, SubscriptionName
//	commitFrom(repoURL)        RepoURL, ID, Branch, Tag, Message, Author, Committer, SubscriptionName
//	chartFrom(repoURL[, name]) RepoURL, Name, Version, SubscriptionName
//	artifactFrom(subscription) ArtifactType ("image", "git", "chart"), SubscriptionName, Version, Metadata
//
// Without a warehouse exactly one of those requested may subscribe to it. What is not found is null; whoever goes on with that
// null is told what the freight has.
//
// Of what is kept: freightMetadata(name), freightStatus(name) and stageMetadata(name) give objects, or null; configMap(name),
// secret(name), sharedConfigMap(name) and sharedSecret(name) give texts by key.
//
// Of the steps before, in `if` and `config` alone: always(), success(), failure() and status(alias), where a step of the own
// task is also found by its short alias.
//
// To compute: quote and unsafeQuote make a string of a value, asYAML and asJSON a document; semverParse(v) gives a version with
// methods such as Major() and IncMinor(); semverDiff(a, b) names the part in which two versions differ: Major, Minor, Patch,
// Metadata, None or Incomparable. Pre-releases are not compared.
//
// # Expressions without delimiters
//
// Filter and CompileFilter evaluate a git subscription's expressionFilter, Criteria a warehouse's freightCreationCriteria,
// RunResponse the expressions of the http step and Run those of yaml-parse. They see the functions that only compute, and what
// these functions name. A filter and criteria may yield a text or number that strconv.ParseBool accepts, as in Kargo. Check,
// CheckFilter, CheckCriteria and CheckResponse find mistakes without evaluating anything.
//
// # Secrets
//
// Every value that secret or sharedSecret gives, and every text that an expression makes of one, also by way of variables, is
// collected in Env.Used, which takes them out of what is shown. Texts of fewer than four bytes and booleans are not: they would
// be found everywhere. An expression that fails on a secret does not show its cause.
//
// # Differences from Kargo
//
//   - An unknown name, a missing key of a known object and a member of null are errors that say what exists, where Kargo
//     goes on with null: a typing mistake must not reach a manifest. `a.b ?? c`, `a?.b`, `a.b == nil` and `a.b != nil` ask
//     whether something exists and are no errors. The body of an HTTP response belongs to somebody else: its missing keys are null.
//   - configMap, secret and the shared ones fail on a name that does not exist, unless it is asked for as above; Kargo gives
//     an empty map, and an empty password with it. They read what the server's configuration holds, as there is no cluster.
//   - A missing key of these is null, where Kargo gives "", so that `??` works.
//   - "nan" and "inf" stay strings, because no JSON can hold those numbers; Kargo's step fails.
//   - imageFrom and chartFrom try a repository URL as written, then without regard to its spelling, as commitFrom does in
//     Kargo: ghcr.io/Acme/x and ghcr.io/acme/x are one repository.
//   - chartFrom gives null for a chart that is not found; Kargo's documentation says so, its code fails.
//   - artifactFrom finds images, commits and charts, because these are all there is.
//   - warehouse("") is an error: it comes from an empty variable, and would look like no choice.
//   - The static check refuses status of a step that does not come before, which is the empty text for ever in Kargo.
//   - CreatedAt of an image is null where the registry was not asked.
//   - Work, memory, size and nesting of expressions are bounded: whoever may write one must not stop the server.
//
// The package performs no input or output. It does not know what Stages, Freight or steps are: callers describe them in
// an Env.
package expr
