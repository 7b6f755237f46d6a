// Package expr evaluates the expressions in Kargo's YAML: `${{ … }}` and `${% … %}` inside string values.
//
// # Templates
//
// The earliest delimiter wins and an expression ends at the first matching end delimiter. Without a delimiter a string
// is left alone. The language is expr-lang's; the names an expression may see are an Env.
//
// # Types
//
// The type of the result follows Kargo: literal text and results are concatenated (strings as they are, all else as
// JSON); one final line break is taken off; a text in double quotes is the string between them; else what
// strconv.ParseFloat accepts is a number, what strconv.ParseBool accepts a boolean, what is valid JSON that value, and
// the rest a string, with its line break. A string that looks like a number is thereby retyped: the tag "1.10" becomes
// 1.1. A Value knows when that happened and keeps the text.
//
// # Differences from Kargo
//
// An unknown name, a missing key of a known object and a member of null are errors that say what exists, where Kargo
// goes on with null; `a.b ?? c`, `a?.b`, `a.b == nil` and `a.b != nil` ask whether something exists and are no errors.
// "nan" and "inf" stay strings, because no JSON can hold those numbers. imageFrom tries a repository URL as written,
// then without regard to case and the default registry. Work, memory, size and nesting of expressions are bounded.
//
// The package performs no input or output. It does not know what Stages, Freight or steps are: callers describe them in
// an Env.
package expr
