package step

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/promote"
)

// merge proposes what a task makes, merges it, and returns the request of another process that goes on: it knows what the
// ledger holds, and nothing else.
func (b *bed) merge(t *testing.T, request Request) Request {
	t.Helper()
	proposed := run1(t, request)
	if proposed.Push == nil {
		t.Fatalf("nothing is proposed: %s %s", statuses(proposed), proposed.Message)
	}
	p := request.Promotion
	p.Results, p.Head, p.Moves = proposed.Results, proposed.Push.Head, proposed.Moves
	tree, err := b.git.Tree(t.Context(), string(p.Head))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := tree.ReadFile("develop/frontend/instance.yaml")
	if err != nil {
		t.Fatal(err)
	}
	merged := b.repo.Commit("main", "Merge", map[string]string{"develop/frontend/instance.yaml": string(changed)})
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var resumed promote.Promotion
	if err := json.Unmarshal(data, &resumed); err != nil {
		t.Fatal(err)
	}
	other := newRequestLike(t, request, resumed, b)
	other.Change = promote.Change{Number: 7, State: promote.ChangeMerged, Merged: promote.Commit(merged)}
	return other
}

// proposing is a task that changes the instance; before and after stand around its git-push.
func proposing(before, after string) string {
	return `
- uses: git-clone
  as: clone
  config: {repoURL: "${{ vars.gitopsRepo }}", checkout: [{branch: main, path: ./repo}, {branch: main, path: ./other}]}
- uses: yaml-update
  as: update
  config: {path: ./repo/develop/frontend/instance.yaml, updates: [{key: spec.values.deployment.tag, value: "${{ quote(imageFrom(vars.imageRepo).Tag) }}"}]}
` + before + `
- uses: git-commit
  as: commit
  config: {path: ./repo, message: Update}
- uses: git-push
  as: push
  config: {path: ./repo}
` + after
}

func TestATagIsPushedAfterTheMerge(t *testing.T) {
	tag := "- {uses: git-tag, as: tag, config: {path: ./repo, tag: 'v${{ imageFrom(vars.imageRepo).Tag }}', message: notes}}\n"
	push := "- {uses: git-push, as: push-tag, config: {path: ./repo, tag: v1.0.2}}\n"
	for name, task := range map[string]string{
		"made before the push": strings.Replace(proposing("", push), "- uses: git-push\n", tag+"- uses: git-push\n", 1),
		"made after it":        proposing("", tag+push),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			request := b.merge(t, b.request(t, task, "1.0.2"))
			done := run1(t, request)
			if done.Failed || done.Wait != promote.WaitsNothing {
				t.Fatalf("%s, waits %q: %s", statuses(done), done.Wait, done.Message)
			}
			refs, err := b.git.Refs(t.Context())
			if err != nil || refs.Commits["refs/tags/v1.0.2"] != string(request.Change.Merged) {
				t.Errorf("the tag is at %q, want the merge %s: %v", refs.Commits["refs/tags/v1.0.2"], request.Change.Merged, err)
			}
			request.Promotion.Results = done.Results[:len(done.Results)-1] // as if the process had died before it was written down
			if again := run1(t, request); again.Failed {
				t.Errorf("the second time: %s", again.Message)
			}
		})
	}
}

// TestFilesThatNoCommitHoldsAreMadeAgain writes files before the merge and reads them after it.
func TestFilesThatNoCommitHoldsAreMadeAgain(t *testing.T) {
	const parse = "- {uses: yaml-parse, as: parse, config: {path: PATH, outputs: [{name: value, fromExpression: value}]}}\n" +
		"- {uses: compose-output, as: out, config: {value: '${{ outputs.parse.value }}'}}\n"
	read := func(path string) string { return strings.Replace(parse, "PATH", path, 1) }
	for name, c := range map[string]struct{ before, after, want string }{
		"beside the checkouts": {"- {uses: file-write, as: note, config: {path: ./note.yaml, contents: 'value: a'}}\n", read("./note.yaml"), "a"},
		"a copy of one beside": {
			"- {uses: file-write, as: note, config: {path: ./note.yaml, contents: 'value: b'}}\n- {uses: copy, as: copied, config: {inPath: ./note.yaml, outPath: ./sub/note.yaml}}\n",
			read("./sub/note.yaml"), "b",
		},
		"in a checkout of a commit that is not proposed": {
			"- {uses: file-write, as: note, config: {path: ./aside/note.yaml, contents: 'value: c'}}\n- {uses: yaml-update, as: more, config: {path: ./aside/note.yaml, updates: [{key: value, value: d}]}}\n",
			read("./aside/note.yaml"), "d",
		},
		"made of a file that was deleted before the commit": {
			"- {uses: file-write, as: tmp, config: {path: ./repo/tmp.yaml, contents: 'value: e'}}\n- {uses: copy, as: cp, config: {inPath: ./repo/tmp.yaml, outPath: ./aside.yaml}}\n" +
				"- {uses: delete, as: rm, config: {paths: [./repo/tmp.yaml], strict: true}}\n",
			read("./aside.yaml"), "e",
		},
		"made of what the proposal changed afterwards": {
			"- {uses: yaml-update, as: back, config: {path: ./repo/develop/frontend/instance.yaml, updates: [{key: spec.values.deployment.replicas, value: 7}]}}\n" +
				"- {uses: copy, as: cp, config: {inPath: ./repo/develop/frontend/instance.yaml, outPath: ./old.yaml}}\n" +
				"- {uses: yaml-update, as: on, config: {path: ./repo/develop/frontend/instance.yaml, updates: [{key: spec.values.deployment.replicas, value: 9}]}}\n",
			strings.Replace(read("./old.yaml"), "fromExpression: value", "fromExpression: string(spec.values.deployment.replicas)", 1), "7",
		},
		"what was proposed is the merged": {
			"", strings.Replace(read("./repo/develop/frontend/instance.yaml"), "fromExpression: value", "fromExpression: spec.values.deployment.tag", 1), "1.0.2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			task := strings.Replace(proposing(c.before, c.after), "{branch: main, path: ./other}", "{commit: "+b.repo.Head("main")+", path: ./aside}", 1)
			request := b.merge(t, b.request(t, task, "1.0.2"))
			moves := len(request.Promotion.Moves)
			done := run1(t, request)
			if done.Failed {
				t.Fatalf("%s: %s", statuses(done), done.Message)
			}
			last := done.Results[len(done.Results)-1]
			if want := `{"value":"` + c.want + `"}`; string(last.Output) != want {
				t.Errorf("output %s, want %s", last.Output, want)
			}
			if len(done.Moves) != moves {
				t.Errorf("moves %+v, want the %d on record", done.Moves, moves)
			}
		})
	}
}

func TestFilesThatNobodyReadsAreNotMadeAgain(t *testing.T) {
	b := newBed(t)
	s := newSite(t, reply{status: 200, body: "value: a\n"})
	task := proposing("- {uses: http-download, as: get, config: {url: '"+s.URL+"', outPath: ./note.yaml}}\n",
		"- {uses: compose-output, as: out, config: {done: 'yes'}}\n")
	request := b.request(t, task, "1.0.2")
	request.World = web()
	resumed := b.merge(t, request)
	resumed.World = web()
	if done := run1(t, resumed); done.Failed {
		t.Fatal(done.Message)
	}
	if len(s.got) != 1 {
		t.Errorf("%d downloads", len(s.got))
	}
}

func TestConfigurationsMayAskForStatuses(t *testing.T) {
	b := newBed(t)
	result := run1(t, b.request(t, `
- {uses: compose-output, as: first, config: {a: b}}
- {uses: fail, as: broken, continueOnError: true, config: {message: "no"}}
- {uses: compose-output, as: out, config: {first: "${{ status('first') }}", broken: "${{ status('broken') }}", all: "${{ success() }}", any: "${{ always() }}", bad: "${{ failure() }}"}}
`, "1.0.2"))
	if result.Failed {
		t.Fatal(result.Message)
	}
	want := `{"all":true,"any":true,"bad":false,"broken":"Failed","first":"Succeeded"}`
	if got := string(result.Results[2].Output); got != want {
		t.Errorf("output %s, want %s", got, want)
	}
}

func TestExpressionsKnowStepsAndFreight(t *testing.T) {
	b := newBed(t)
	request := b.request(t, `
- {uses: compose-output, as: first, continueOnError: true, config: {a: b}}
- {uses: compose-output, as: out, config: {meta: "${{ stepMetas.first.continueOnError }}", in: "${{ keys(freightStatus(ctx.targetFreight.name).verifiedIn) }}"}}
`, "1.0.2")
	request.Status = func(name string) (map[string]any, bool) {
		return map[string]any{"verifiedIn": map[string]any{"test": map[string]any{"verifiedAt": "now"}}}, name == string(request.Freights[0].ID)
	}
	result := run1(t, request)
	if result.Failed {
		t.Fatal(result.Message)
	}
	if got, want := string(result.Results[1].Output), `{"in":["test"],"meta":true}`; got != want {
		t.Errorf("output %s, want %s", got, want)
	}
}

func TestAMergeIsWaitedForAsLongAsTheTaskSays(t *testing.T) {
	b := newBed(t)
	request := b.request(t, strings.Replace(explicit, "  as: wait\n", "  as: wait\n  timeout: 1h\n", 1), "1.10")
	if i := len(request.Promotion.Steps) - 2; request.Promotion.Steps[i].As != "wait" || time.Duration(request.Promotion.Steps[i].Timeout) != time.Hour {
		t.Fatalf("step %+v", request.Promotion.Steps[i])
	}
	opened := run1(t, request)
	request.Promotion.Results, request.Promotion.Head = opened.Results, opened.Push.Head
	request.Change = promote.Change{Number: 7, URL: "u", State: promote.ChangeOpen}
	waiting := run1(t, request)
	if waiting.Wait != promote.WaitsMerge || waiting.Next != time.Hour {
		t.Fatalf("waits for %q, at most %s", waiting.Wait, waiting.Next)
	}
	request.Promotion.Results = waiting.Results
	request.Now = request.Now.Add(20 * time.Minute)
	if waiting = run1(t, request); waiting.Next != 40*time.Minute {
		t.Errorf("after 20 minutes %s are left", waiting.Next)
	}
	request.Now = request.Now.Add(time.Hour)
	if late := run1(t, request); !late.Failed || !strings.Contains(late.Message, "not done after 1h0m0s, which its retry.timeout allows") {
		t.Errorf("failed %t: %s", late.Failed, late.Message)
	}
}

func TestDesiredRevisionsOfSources(t *testing.T) {
	b := newBed(t)
	for name, c := range map[string]struct{ sources, revision, problem string }{
		"one":                         {"[{repoURL: OURS, desiredRevision: aaaa}]", "aaaa", ""},
		"the same twice":              {"[{repoURL: OURS, desiredRevision: aaaa}, {repoURL: OURS, desiredRevision: aaaa}]", "aaaa", ""},
		"two":                         {"[{repoURL: OURS, desiredRevision: aaaa}, {repoURL: OURS, desiredRevision: bbbb}]", "", "has two desired revisions"},
		"that of another repository":  {"[{repoURL: 'https://g/other', desiredRevision: cccc}, {repoURL: OURS, desiredRevision: aaaa}]", "aaaa", ""},
		"of a chart, which is no one": {"[{repoURL: 'https://c', chart: web, desiredRevision: 1.0.0}]", "", "cannot be waited for"},
	} {
		t.Run(name, func(t *testing.T) {
			task := "[{uses: argocd-update, as: argo, config: {apps: [{name: a, sources: " + strings.ReplaceAll(c.sources, "OURS", "'"+b.repo.URL+"'") + "}]}}]"
			result := run1(t, b.request(t, task, "1.0.2"))
			if c.problem != "" {
				if !result.Failed || !strings.Contains(result.Message, c.problem) {
					t.Errorf("failed %t: %s", result.Failed, result.Message)
				}
				return
			}
			if result.Deliver == nil || string(result.Deliver.Applications[0].Revision) != c.revision {
				t.Errorf("deliver %+v: %s", result.Deliver, result.Message)
			}
		})
	}
}

func TestATaskMergesItsOwnChange(t *testing.T) {
	b := newBed(t)
	task := strings.Replace(explicit, "- uses: git-wait-for-pr\n  as: wait\n", "- uses: git-merge-pr\n  as: wait\n", 1)
	request := b.request(t, task, "1.10")
	opened := run1(t, request)
	request.Promotion.Results, request.Promotion.Head = opened.Results, opened.Push.Head
	request.Change = promote.Change{Number: 7, URL: "u", State: promote.ChangeOpen}
	waiting := run1(t, request)
	if !waiting.AutoMerge || waiting.Wait != promote.WaitsMerge {
		t.Fatalf("merges itself %t, waits for %q: %s", waiting.AutoMerge, waiting.Wait, waiting.Message)
	}
	request.Promotion.Results = waiting.Results
	request.Change.State, request.Change.Merged = promote.ChangeMerged, promote.Commit(b.repo.Commit("main", "Merge", map[string]string{"x": "y"}))
	delivering := run1(t, request)
	if delivering.Wait != promote.WaitsDelivery || delivering.Deliver.Applications[0].Revision != request.Change.Merged {
		t.Errorf("waits for %q, delivers %+v: %s", delivering.Wait, delivering.Deliver, delivering.Message)
	}
}

// TestEveryFunctionWorksInAConfiguration calls each function of Kargo's list (expressions) where steps call them, before and
// after a merge: what is not wired up says so only then.
func TestEveryFunctionWorksInAConfiguration(t *testing.T) {
	calls := []struct{ call, want string }{
		{"imageFrom('docker.io/acme/frontend').Tag", `"1.0.2"`},
		{"imageFrom('docker.io/acme/frontend', warehouse('frontend-dev-image')).Digest", `"sha256:aa"`},
		{"artifactFrom('frontend-dev-image') == nil", `true`},
		{"commitFrom('https://g/a') == nil", `true`},
		{"chartFrom('oci://c') == nil", `true`},
		{"freightMetadata(ctx.targetFreight.name).ticket", `"T-1"`},
		{"stageMetadata(ctx.stage).owner", `"ann"`},
		{"len(freightStatus(ctx.targetFreight.name).currentlyIn)", `0`},
		{"configMap('urls').site", `"https://s"`},
		{"sharedConfigMap('all').region", `"eu"`},
		{"secret('none')?.key ?? 'default'", `"default"`},
		{"sharedSecret('none')?.key ?? 'default'", `"default"`},
		{"semverParse('v1.2.3').IncMinor().String()", `"1.3.0"`},
		{"semverDiff('1.0.0', '1.1.0')", `"Minor"`},
		{"always() && success() && !failure()", `true`},
		{"status('clone')", `"Succeeded"`},
		{"quote('1.10')", `"1.10"`},
		{"unsafeQuote('a')", `"\"a\""`},
		{"asYAML({a: 1})", `"a: 1\n"`},
		{"asJSON([1])", `"[\n  1\n]\n"`},
		{"stepMetas.clone.status", `"Succeeded"`},
	}
	composed := ""
	for i, c := range calls {
		composed += "- {uses: compose-output, as: call-" + string(rune('a'+i)) + ", config: {got: \"${{ " + strings.ReplaceAll(c.call, `"`, `\"`) + " }}\"}}\n"
	}
	check := func(t *testing.T, result Result, after int) {
		t.Helper()
		if result.Failed {
			t.Fatalf("%s: %s", statuses(result), result.Message)
		}
		for i, c := range calls {
			if got := string(result.Results[after+i].Output); got != `{"got":`+c.want+`}` {
				t.Errorf("%s gives %s, want %s", c.call, got, c.want)
			}
		}
	}
	wired := func(b *bed, task string) Request {
		request := b.request(t, task, "1.0.2")
		values := func(name, value string) map[string]json.RawMessage {
			return map[string]json.RawMessage{name: json.RawMessage(`"` + value + `"`)}
		}
		request.Metadata = []promote.Metadata{
			{Kind: promote.MetadataFreight, Project: "develop", Name: string(request.Promotion.Freight), Values: values("ticket", "T-1")},
			{Kind: promote.MetadataStage, Project: "develop", Name: request.Promotion.Stage.Name, Values: values("owner", "ann")},
		}
		request.Status = func(string) (map[string]any, bool) { return map[string]any{"currentlyIn": map[string]any{}}, true }
		request.World.ConfigMaps = func(_, name string, shared bool) (map[string]string, bool) {
			known := map[string]map[string]string{"urls": {"site": "https://s"}, "all": {"region": "eu"}}
			return known[name], shared == (name == "all")
		}
		request.World.Secrets = func(string, string, bool) (map[string]string, bool) { return nil, false }
		return request
	}
	t.Run("before the merge", func(t *testing.T) {
		b := newBed(t)
		check(t, run1(t, wired(b, proposing(composed, ""))), 2)
	})
	t.Run("after it", func(t *testing.T) {
		b := newBed(t)
		request := wired(b, proposing("", composed))
		resumed := b.merge(t, request)
		resumed.Metadata, resumed.Status, resumed.World = request.Metadata, request.Status, request.World
		check(t, run1(t, resumed), 4)
	})
}
