package kargo

// valueKind is what a configuration value may be. A string that holds an expression may become any of them.
type valueKind int

const (
	kindText   valueKind = iota // a string; a number is an error that asks for quotes
	kindScalar                  // a string, number, boolean or null
	kindFlag                    // a boolean
	kindCount                   // a whole number
	kindTexts                   // a list of strings
	kindObject                  // a mapping
	kindList                    // a list of mappings
)

// schema is what the configuration of a step, or a mapping inside it, may hold.
type schema struct {
	keys   []schemaKey
	needs  []string // at least one of these
	single []string // at most one of these
}

type schemaKey struct {
	name     string
	kind     valueKind
	required bool
	inner    *schema
	refused  string // why the key is not supported, with what to do
	old      string // why the key should go, with what to do
}

// stepSchemas are the steps that Lockkeeper runs (Kargo: pkg/promotion/runner/builtin/schemas).
var stepSchemas = map[string]schema{
	"git-clone": {keys: []schemaKey{
		{name: "repoURL", required: true},
		{name: "checkout", kind: kindList, required: true, inner: &schema{
			keys: []schemaKey{
				{name: "path", required: true},
				{name: "branch"},
				{name: "commit"},
				{name: "as"},
				{name: "tag", refused: "checking out a tag is not supported yet; name a branch or a commit"},
				{name: "create", kind: kindFlag, refused: "creating branches is not supported yet; create the branch by hand and remove the key"},
				{name: "sparse", kind: kindTexts, old: "sparse has no effect, since only what is read is fetched; remove it"},
				{name: "fromFreight", kind: kindFlag, refused: "it was removed from Kargo in 1.3 and freight holds no commits yet; name a branch"},
				{name: "fromOrigin", kind: kindObject, refused: "it was removed from Kargo in 1.3 and freight holds no commits yet; name a branch"},
			},
			single: []string{"branch", "commit", "tag"},
		}},
		{name: "author", kind: kindObject, inner: &authorSchema},
		{name: "insecureSkipTLSVerify", kind: kindFlag},
		{name: "recurseSubmodules", kind: kindFlag},
		{name: "blobless", kind: kindFlag},
	}},
	"yaml-parse": {keys: []schemaKey{
		{name: "path", required: true},
		{name: "outputs", kind: kindList, required: true, inner: &schema{keys: []schemaKey{
			{name: "name", required: true},
			{name: "fromExpression", required: true},
		}}},
	}},
	"yaml-update": {keys: []schemaKey{
		{name: "path", required: true},
		{name: "updates", kind: kindList, required: true, inner: &schema{keys: []schemaKey{
			{name: "key", required: true},
			{name: "value", kind: kindScalar, required: true},
		}}},
	}},
	"git-commit": {
		keys: []schemaKey{
			{name: "path", required: true},
			{name: "message"},
			{name: "messageFromSteps", kind: kindTexts, old: "messageFromSteps is no longer read by Kargo; write message: ${{ outputs['<alias>'].commitMessage }}, in a task with task.outputs"},
			{name: "author", kind: kindObject, inner: &authorSchema, old: "Kargo drops author here in 1.12; move it to git-clone"},
		},
		needs: []string{"message", "messageFromSteps"},
	},
	"git-push": {
		keys: []schemaKey{
			{name: "path", required: true},
			{name: "targetBranch"},
			{name: "generateTargetBranch", kind: kindFlag},
			{name: "tag", refused: "pushing tags is not supported yet; name a targetBranch"},
			{name: "maxAttempts", kind: kindCount},
			{name: "force", kind: kindFlag},
			{name: "provider"},
		},
		single: []string{"targetBranch", "generateTargetBranch", "tag"},
	},
	"git-open-pr": {keys: []schemaKey{
		{name: "repoURL", required: true},
		{name: "sourceBranch", required: true},
		{name: "targetBranch", required: true},
		{name: "title"},
		{name: "description"},
		{name: "labels", kind: kindTexts},
		{name: "provider"},
		{name: "insecureSkipTLSVerify", kind: kindFlag},
		{name: "createTargetBranch", kind: kindFlag, old: "createTargetBranch has no effect and leaves Kargo in 1.12; remove it"},
	}},
	"git-wait-for-pr": {keys: []schemaKey{
		{name: "repoURL", required: true},
		{name: "prNumber", kind: kindCount, required: true},
		{name: "provider"},
		{name: "pollInterval"},
		{name: "insecureSkipTLSVerify", kind: kindFlag},
	}},
	"argocd-update": {keys: []schemaKey{
		{name: "apps", kind: kindList, required: true, inner: &schema{
			keys: []schemaKey{
				{name: "name", required: true},
				{name: "namespace"},
				{name: "selector", kind: kindObject, refused: "selecting applications by label is not supported yet; name each one"},
				{name: "sources", kind: kindList, inner: &schema{keys: []schemaKey{
					{name: "repoURL", required: true},
					{name: "desiredRevision"},
					{name: "chart", refused: "chart sources are not supported yet; remove the source"},
					{name: "updateTargetRevision", kind: kindFlag, refused: inCluster},
					{name: "kustomize", kind: kindObject, refused: inCluster},
					{name: "helm", kind: kindObject, refused: inCluster},
				}}},
			},
		}},
	}},
}

const inCluster = "it would change the Application in the cluster behind Git's back; change the file that declares it with yaml-update"

var authorSchema = schema{keys: []schemaKey{
	{name: "name"},
	{name: "email"},
	{name: "signingKey", refused: "signing with a key of the step is not supported; commits are signed by the server's key"},
}}

// otherSteps are the steps that Kargo has and Lockkeeper does not run.
var otherSteps = []string{
	"argocd-wait", "compose-output", "copy", "delete", "fail", "file-write", "git-clear", "git-merge-pr", "git-tag",
	"github-push", "helm-template", "helm-update-chart", "http", "http-download", "json-parse", "json-update",
	"kustomize-build", "kustomize-set-image", "oci-download", "oci-push", "set-freight-alias", "set-metadata", "tar",
	"toml-parse", "toml-update", "untar", "yaml-merge",
}
