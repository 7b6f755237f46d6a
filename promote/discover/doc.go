// Package discover asks container registries what there is: the newest tag that a warehouse selects, and the digest that a
// tag points to. Selection by semantic version follows Kargo (pkg/image/semver_selector.go); [Select] is the pure part.
//
// It owns how registries are asked: credentials, rate, time and size limits, pages. It does not make freight, and remembers
// no tags: every call asks anew. The only thing it keeps is which platforms a digest is for, which never changes.
//
// # Requests
//
// A discovery costs one request for each page of 1,000 tags and one for the digest of the newest tag; the first of a
// repository adds one to find out how to authenticate and, where the registry wants it, one for a token. With a platform
// filter the manifest of each candidate is read instead, and the configuration of images without an index.
//
// # Transport
//
// Registries are asked over TLS, whatever their name; those for which Config.Insecure says so, loopback addresses by
// default, over plain HTTP. A registry that answers 429 is left alone for as long as it asks for.
package discover
