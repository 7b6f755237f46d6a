package kargo

// stepSchemas lists the steps and what their configurations may hold (Kargo: pkg/promotion/runner/builtin/schemas).
var stepSchemas = map[string]schema{
	// Git.
	"git-clone": {keys: keys{
		must(str("repoURL")),
		must(list("checkout", schema{
			keys: keys{
				must(str("path")),
				str("branch"), str("commit"), str("tag"), str("as"), flag("create"),
				folders("sparse"),
				refused(flag("fromFreight"), "it was removed from Kargo in 1.3; write commit: ${{ commitFrom('<repoURL>').ID }}"),
				refused(anything("fromOrigin"), "it was removed from Kargo in 1.3; write commit: ${{ commitFrom('<repoURL>', warehouse('<name>')).ID }}"),
			},
			single: []string{"branch", "commit", "tag"},
		})),
		mapping("author", author),
		flag("insecureSkipTLSVerify"), flag("blobless"),
		idle(flag("recurseSubmodules"), "recurseSubmodules has no effect: submodules are not entered; copy what is needed from a git-clone of its own"),
	}},
	"git-clear": {keys: keys{must(tree())}},
	"git-commit": {
		keys: keys{
			must(tree()), str("message"),
			old(strs("messageFromSteps"), "messageFromSteps is no longer read by Kargo; write message: ${{ outputs['<alias>'].commitMessage }}, in a task with task.outputs"),
			old(mapping("author", author), "Kargo drops author here in 1.12; move it to git-clone"),
		},
		needs: []string{"message", "messageFromSteps"},
	},
	"git-push": {
		keys: keys{
			must(tree()), str("targetBranch"), flag("generateTargetBranch"), str("tag"),
			count("maxAttempts"), flag("force"), provider, flag("insecureSkipTLSVerify"),
		},
		single: []string{"targetBranch", "generateTargetBranch", "tag"},
	},
	"git-tag": {keys: keys{
		must(tree()), must(str("tag")), must(str("message")), flag("force"),
		refused(anything("tagger"), "tags are made and signed by the server; remove it"),
	}},
	"git-open-pr": {keys: keys{
		must(str("repoURL")), must(str("sourceBranch")), must(str("targetBranch")),
		str("title"), str("description"), strs("labels"), provider, flag("insecureSkipTLSVerify"),
		old(flag("createTargetBranch"), "createTargetBranch has no effect and leaves Kargo in 1.12; remove it"),
		refused(str("sourceBranchFromPush"), "Kargo no longer reads it; write sourceBranch: ${{ outputs['<alias>'].branch }}"),
	}},
	"git-wait-for-pr": {keys: keys{
		must(str("repoURL")), must(count("prNumber")), provider, duration("pollInterval"), flag("insecureSkipTLSVerify"),
		refused(str("prNumberFromStep"), "Kargo no longer reads it; write prNumber: ${{ outputs['<alias>'].pr.id }}"),
	}},
	"git-merge-pr": {keys: keys{
		must(str("repoURL")), must(count("prNumber")), provider, str("mergeMethod"), flag("wait"), duration("pollInterval"),
		flag("insecureSkipTLSVerify"),
	}},

	// Files.
	"copy": {keys: keys{must(from("inPath")), must(into("outPath")), str("ignore")}},
	"delete": {
		keys:   keys{str("path"), strs("paths"), flag("pathsAreGlobs"), flag("strict")},
		needs:  []string{"path", "paths"},
		single: []string{"path", "paths"},
	},
	"file-write": {keys: keys{
		must(into("path")), must(mayBeEmpty(str("contents"))), str("permissions"), flag("overwrite"),
	}},
	"untar": {keys: keys{must(from("inPath")), must(into("outPath")), count("stripComponents"), str("ignore")}},
	"tar":   {keys: keys{must(from("inPath")), must(into("outPath")), str("ignore"), flag("gzip")}},

	// YAML, JSON and TOML.
	"yaml-parse": {keys: keys{must(from("path")), must(list("outputs", output))}},
	"yaml-update": {keys: keys{
		must(from("path")),
		must(list("updates", schema{keys: keys{must(str("key")), must(scalar("value")), flag("create")}})),
	}},
	"yaml-merge":  {keys: keys{must(strs("inFiles")), must(into("outFile")), flag("ignoreMissingFiles")}},
	"json-parse":  {keys: keys{must(from("path")), must(list("outputs", output))}},
	"json-update": {keys: keys{must(from("path")), must(list("updates", schema{keys: keys{must(str("key")), must(scalar("value"))}}))}},
	"toml-parse":  {keys: keys{must(from("path")), must(list("outputs", output))}},
	"toml-update": {keys: keys{must(from("path")), must(list("updates", schema{keys: keys{must(str("key")), must(anything("value"))}}))}},

	// Helm and Kustomize.
	"helm-template": {keys: keys{
		must(from("path")), must(into("outPath")), must(str("releaseName")), str("namespace"),
		strs("valuesFiles"), flag("ignoreMissingValueFiles"),
		list("setValues", schema{keys: keys{must(str("key")), must(mayBeEmpty(str("value"))), flag("literal")}}),
		flag("buildDependencies"), flag("includeCRDs"), flag("disableHooks"), flag("skipTests"),
		str("kubeVersion"), strs("apiVersions"), choice("outLayout", "helm", "flat"), flag("useReleaseName"),
	}},
	"helm-update-chart": {keys: keys{
		must(from("path")),
		must(list("charts", schema{keys: keys{must(str("repository")), must(str("name")), must(str("version"))}})),
	}},
	"kustomize-build": {keys: keys{
		must(from("path")), must(into("outPath")), choice("outputFormat", "kargo", "kustomize"),
		mapping("plugin", schema{keys: keys{mapping("helm", schema{keys: keys{strs("apiVersions"), str("kubeVersion")}})}}),
	}},
	"kustomize-set-image": {keys: keys{
		must(from("path")),
		list("images", schema{
			keys:   keys{must(str("image")), str("name"), str("newName"), str("tag"), str("digest")},
			needs:  []string{"tag", "digest"},
			single: []string{"tag", "digest"},
		}),
	}},

	// Argo CD.
	"argocd-update": {keys: keys{must(list("apps", schema{
		keys: keys{
			str("name"), mapping("selector", selector), str("namespace"),
			list("sources", schema{keys: keys{
				must(str("repoURL")), str("chart"), str("desiredRevision"),
				refused(str("desiredCommitFromStep"), "Kargo no longer reads it; write desiredRevision: ${{ outputs['<alias>'].commit }}"),
				refused(flag("updateTargetRevision"), inCluster),
				refused(anything("kustomize"), inCluster),
				refused(anything("helm"), inCluster),
			}, single: []string{"chart", "desiredRevision"}}),
		},
		needs:  []string{"name", "selector"},
		single: []string{"name", "selector"},
	}))}},
	"argocd-wait": {keys: keys{must(list("apps", schema{
		keys: keys{
			str("name"), mapping("selector", selector), str("namespace"),
			{name: "waitFor", kind: kindTexts, choices: []string{"health", "sync", "operation", "suspended", "degraded"}},
		},
		needs:  []string{"name", "selector"},
		single: []string{"name", "selector"},
	}))}},

	// The network.
	"http": {
		keys: keys{
			must(str("url")), choice("method", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"),
			list("headers", nameValue), list("queryParams", nameValue), str("body"), from("bodyFromFile"),
			duration("timeout"), duration("pollInterval"), str("proxy"), flag("insecureSkipTLSVerify"),
			choice("responseContentType", "application/json", "application/yaml", "text/plain"),
			response("successExpression"), response("failureExpression"), response("errorExpression"),
			list("outputs", schema{keys: keys{must(str("name")), must(response("fromExpression"))}}),
		},
		single: []string{"body", "bodyFromFile"},
	},
	"http-download": {keys: keys{
		must(str("url")), must(into("outPath")), flag("allowOverwrite"), list("headers", nameValue), list("queryParams", nameValue),
		duration("timeout"), flag("insecureSkipTLSVerify"), response("errorExpression"),
	}},
	"oci-download": {keys: keys{
		must(str("imageRef")), must(into("outPath")), str("mediaType"), flag("allowOverwrite"), flag("insecureSkipTLSVerify"),
	}},
	"oci-push": {keys: keys{
		must(str("srcRef")), must(str("destRef")), values("annotations"), flag("insecureSkipTLSVerify"),
		refused(str("imageRef"), "the key is srcRef; rename it"),
	}},

	// What a promotion says and remembers.
	"compose-output": {open: true},
	"fail":           {keys: keys{str("message")}},
	"set-metadata": {keys: keys{must(list("updates", schema{keys: keys{
		must(choice("kind", "Stage", "Freight")), must(str("name")), must(mapping("values", schema{open: true})),
	}}))}},
	"set-freight-alias": {keys: keys{must(str("name")), must(str("alias"))}},

	// People and other systems.
	"wait-for-approval": {keys: keys{strs("approvers"), count("minimum"), duration("timeout")}},
	"send-message": {
		keys: keys{
			str("channel"), mapping("slack", schema{keys: keys{must(str("channel"))}}), must(str("message")), str("title"),
		},
		needs:  []string{"channel", "slack"},
		single: []string{"channel", "slack"},
	},
	"gha-dispatch-workflow": {keys: keys{
		str("owner"), must(str("repo")), must(str("workflow")), must(str("ref")), values("inputs"), flag("wait"), duration("timeout"),
	}},
	"gitlab-trigger-pipeline": {keys: keys{
		must(str("project")), must(str("ref")), values("variables"), flag("wait"), duration("timeout"),
	}},
	"add-comment": {keys: keys{str("repoURL"), count("number"), must(str("body"))}},

	// Verification. AnalysisTemplates become these.
	"analysis-web": {keys: append(keys{
		must(str("url")), choice("method", "GET", "POST", "PUT"), list("headers", nameValue), str("body"), str("jsonPath"),
		count("timeoutSeconds"), flag("insecure"),
	}, measurement...)},
	"analysis-prometheus": {keys: append(keys{
		must(str("address")), must(str("query")), list("headers", nameValue), count("timeoutSeconds"), flag("insecure"),
		mapping("rangeQuery", schema{keys: keys{must(str("start")), must(str("end")), must(str("step"))}}),
	}, measurement...)},
}

const inCluster = "it would change the Application in the cluster behind Git's back; change the file that declares it with yaml-update"

// What several steps have in common.
var (
	provider = choice("provider", "azure", "bitbucket", "gitea", "github", "gitlab")

	author = schema{keys: keys{
		str("name"), str("email"),
		refused(str("signingKey"), "signing with a key of the step is not supported; commits are signed by the server's key, LOCKKEEPER_SIGNING_KEY"),
	}}

	nameValue = schema{keys: keys{must(str("name")), must(str("value"))}}

	output = schema{keys: keys{must(str("name")), must(expression("fromExpression"))}}

	selector = schema{
		keys: keys{
			values("matchLabels"),
			list("matchExpressions", schema{keys: keys{
				must(str("key")), must(choice("operator", "In", "NotIn", "Exists", "DoesNotExist")), strs("values"),
			}}),
		},
		needs: []string{"matchLabels", "matchExpressions"},
	}

	measurement = keys{
		str("name"), expression("successCondition"), expression("failureCondition"),
		duration("interval"), duration("initialDelay"), count("count"),
		count("failureLimit"), count("inconclusiveLimit"), count("consecutiveErrorLimit"), count("consecutiveSuccessLimit"),
	}
)

// otherSteps are the steps that only Kargo has, or had, and what to use instead.
var otherSteps = map[string]string{
	"get-user-input":          "let a person edit the change that git-open-pr opens, and wait with git-wait-for-pr or wait-for-approval",
	"gh-add-issue-comment":    "use add-comment",
	"gh-create-issue":         "call GitHub's API with http",
	"gh-delete-issue-comment": "call GitHub's API with http",
	"gh-search-issues":        "call GitHub's API with http",
	"gh-update-issue":         "call GitHub's API with http",
	"gh-update-issue-comment": "call GitHub's API with http",
	"gh-wait-for-issue-state": "ask GitHub's API with http and a successExpression",
	"gha-wait-for-workflow":   "set wait: true in gha-dispatch-workflow",
	"github-push":             "use git-push, which takes the same path and branch",
	"hcl-update":              "run a job that edits the file with gha-dispatch-workflow or gitlab-trigger-pipeline",
	"helm-update-image":       "use yaml-update; Kargo removed the step in 1.3",
	"jfrog-evidence":          "call JFrog's API with http",
	"jira":                    "call Jira's API with http",
	"record-audit-event":      "every promotion is recorded in the ledger; remove the step",
	"snow-create":             "call ServiceNow's API with http",
	"snow-delete":             "call ServiceNow's API with http",
	"snow-query-for-records":  "call ServiceNow's API with http",
	"snow-update":             "call ServiceNow's API with http",
	"snow-wait-for-condition": "ask ServiceNow's API with http and a successExpression",
	"tf-apply":                "run a job that applies with gha-dispatch-workflow or gitlab-trigger-pipeline",
	"tf-output":               "run a job that publishes the outputs, and read them with http",
	"tf-plan":                 "run a job that plans with gha-dispatch-workflow or gitlab-trigger-pipeline",
}
