// Package registryhook understands the webhooks by which registries, and forges of repositories that are only watched, say
// that there is something new. It owns who may say so and what is said. It stores nothing and asks nobody.
//
// What a delivery says is a hint: it names repositories, of images or of Git, and whoever is told looks for himself. A
// delivery that is sent again, or made up by somebody who knows the secret, costs a look and nothing more. Without the secret
// nothing is read.
//
// # Kinds
//
//	dockerhub     Docker Hub: token in the path, because it signs nothing
//	quay          Quay: token in the path, likewise
//	github        GitHub: packages of ghcr.io and pushes; HMAC-SHA256 in X-Hub-Signature-256
//	gitlab        GitLab: pushes of branches and tags; token in X-Gitlab-Token
//	harbor        Harbor: token in Authorization, as its "auth header" is configured; its own format and CloudEvents
//	distribution  the registry of GitLab, and others made of CNCF Distribution: token in Authorization
//	generic       {"image": "…"} or {"repository": "…"}: HMAC-SHA256 in X-Hub-Signature-256, or token in Authorization
//
// A token in Authorization may have "Bearer " before it. Every secret has at least 16 bytes.
package registryhook
