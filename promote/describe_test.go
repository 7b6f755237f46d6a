package promote

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	s := open(evidence(headOne, func(e *Evidence) { e.Diff = "**web**: image `1.0.0` → `1.0.1`\n\n" }))
	p := promotion(dev, 2, "1.0.1", func(p *Promotion) {
		p.Moves = []Move{{File: "web/values.yaml", Key: "image.tag", Before: "1.0.0", After: "1.0.1"}}
		p.Text = "Bring the newest web to dev.\n\nAsk ann first."
	})
	_, edit, err := JudgeProposal(s, p, s.Evidence[headOne])
	if err != nil {
		t.Fatal(err)
	}
	want := ChangeEdit{
		Title: "dev: 1.0.0 → 1.0.1",
		Description: "Promotes `1.0.1` to stage `shop/dev`.\n" +
			"\n" +
			"> Bring the newest web to dev.\n" +
			"> \n" +
			"> Ask ann first.\n" +
			"\n" +
			"**web**: image `1.0.0` → `1.0.1`\n" +
			"\n" +
			"### Gates\n" +
			"\n" +
			"|  | gate | reason |\n" +
			"|---|---|---|\n" +
			"| ✅ | pipeline | no error in the pipeline's files |\n" +
			"| ✅ | render | renders at 11111111 |\n" +
			"| ✅ | freight | straight from warehouse web |\n" +
			"| ✅ | downgrade | 1.0.0 → 1.0.1 |\n" +
			"| ✅ | image | acme/web:1.0.1 is sha256:1.0.1 |\n" +
			"| ✅ | hold | not on hold |\n" +
			"| ✅ | application | web authorizes shop:dev |\n" +
			"\n" +
			"<details><summary>Where this comes from</summary>\n" +
			"\n" +
			"- image `acme/web:1.0.1` at `sha256:1.0.1`\n" +
			"- freight `d4dd30ecbf1b3edcbb8a8e8d2d9b0ca5b5ab7d35` of warehouse `web`, discovered 2026-05-02 08:01:00 UTC\n" +
			"- promotion `dev.0002.d4dd30e`, asked for by `auto-promotion`\n" +
			"- `image.tag` in `web/values.yaml`: `1.0.0` → `1.0.1`\n" +
			"\n" +
			"</details>\n" +
			"\n" +
			"Comment `/promote` to have it merged as soon as every gate passes, `/hold` to keep it open, `/help` for more.\n",
	}
	want.Description = strings.Replace(want.Description, "d4dd30ecbf1b3edcbb8a8e8d2d9b0ca5b5ab7d35", string(version("1.0.1").ID), 1)
	if diff := cmp.Diff(want, edit); diff != "" {
		t.Error(diff)
	}
}

func TestTitle(t *testing.T) {
	p := promotion(dev, 1, "1.0.1")
	moved := Move{Before: "1.0.0", After: "1.0.1"}
	for _, c := range []struct {
		name    string
		title   string
		moves   []Move
		freight Freight
		want    string
	}{
		{"the version alone", "", nil, version("1.0.1"), "dev: 1.0.1"},
		{"from and to", "", []Move{{Before: "x", After: "y"}, moved}, version("1.0.1"), "dev: 1.0.0 → 1.0.1"},
		{"from nothing", "", []Move{{After: "1.0.1"}}, version("1.0.1"), "dev: 1.0.1"},
		{"from and to as images", "", []Move{{Before: "r/web:1.0.0@sha256:aa", After: "r/web:1.0.1@sha256:bb"}}, version("1.0.1"), "dev: 1.0.0 → 1.0.1"},
		{"the task's own", "Deploy\nweb  now", []Move{moved}, version("1.0.1"), "Deploy web now"},
		{"a task's own that says nothing", " \n", nil, version("1.0.1"), "dev: 1.0.1"},
		{"too long", strings.Repeat("ä", 300), nil, version("1.0.1"), strings.Repeat("ä", 98) + "…"},
		{"freight without images", "", nil, Freight{ID: "0123456789"}, "dev: 0123456"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.Title, p.Moves = c.title, c.moves
			got := Describe(Description{Promotion: p, Freight: c.freight}).Title
			if got != c.want {
				t.Errorf("Title = %q, want %q", got, c.want)
			}
		})
	}
}

func TestChangeLabels(t *testing.T) {
	if diff := cmp.Diff([]string{"lockkeeper", "stage::dev"}, ChangeLabels(dev)); diff != "" {
		t.Error(diff)
	}
}

func TestStatusTable(t *testing.T) {
	got := StatusTable([]StageStatus{
		{Stage: dev, Runs: "1.0.0", Next: "1.0.1", Verdict: Wait, Reason: "a | b", Change: 7},
		{Stage: dev, Next: "1.0.1", Verdict: Wait, Reason: "x", Change: 7, URL: "https://github.com/acme/web/pull/7"},
		{Stage: dev, Next: "1.0.1", Verdict: Wait, Reason: "x", Change: 7, URL: "https://a.example.com/) | x"},
		{Stage: dev, Next: "1.0.1", Verdict: Wait, Reason: "x", Change: 7, URL: "javascript:alert"},
		{Stage: prod, Verdict: Block, Next: "1|2", Reason: "held"},
		{Stage: prod, Verdict: Skip, Reason: "x"},
		{Stage: prod, Verdict: Verdict(9), Reason: "x"},
	})
	want := "|  | stage | runs | next | why |\n" +
		"|---|---|---|---|---|\n" +
		"| ⏳ | `shop/dev` | `1.0.0` | `1.0.1` in change 7 | a \\| b |\n" +
		"| ⏳ | `shop/dev` | – | `1.0.1` in [change 7](https://github.com/acme/web/pull/7) | x |\n" +
		"| ⏳ | `shop/dev` | – | `1.0.1` in change 7 | x |\n" +
		"| ⏳ | `shop/dev` | – | `1.0.1` in change 7 | x |\n" +
		"| ❌ | `shop/prod` | – | `1\\|2` | held |\n" +
		"| ➖ | `shop/prod` | – | – | x |\n" +
		"| ❔ | `shop/prod` | – | – | x |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDescribeOutcome(t *testing.T) {
	results := []StepResult{
		{As: "step-1", Status: StepSucceeded, Message: "pushed"},
		{As: "step-2", Status: StepSkipped, Message: "if was false"},
		{As: "step-3", Status: StepSucceeded},
		{As: "argo", Status: StepSucceeded, Message: "web: Synced, Healthy"},
	}
	auto := shop()
	autoProd(&State{Pipelines: []Pipeline{auto}})
	auto.Policies = append(auto.Policies, Policy{Stage: "prod", AutoPromotion: true})
	for _, c := range []struct {
		name      string
		promotion Promotion
		pipeline  Pipeline
		want      string
	}{
		{
			"arrived, and a person decides what is next",
			promotion(dev, 1, "1.0.1", succeeded, func(p *Promotion) { p.Results = results }), shop(),
			"✅ `1.0.1` is verified in `shop/dev` at commit `99999999`.\n\n- `step-1`: pushed\n- `argo`: web: Synced, Healthy\n" +
				"\nNext: `prod` waits for a person: comment `/promote prod`.\n",
		},
		{
			"arrived, and the next stage follows by itself", promotion(dev, 1, "1.0.1", succeeded), auto,
			"✅ `1.0.1` is verified in `shop/dev` at commit `99999999`.\n\nNext: `prod`, proposed automatically.\n",
		},
		{
			"arrived in the last stage without a commit", promotion(prod, 1, "1.0.1", succeeded, func(p *Promotion) { p.Merged = "" }), shop(),
			"✅ `1.0.1` is verified in `shop/prod`.\n",
		},
		{
			"did not arrive", promotion(dev, 1, "1.0.1", failed, func(p *Promotion) { p.Message, p.Results = "web is Degraded: <b>CrashLoop</b>", results[:1] }), shop(),
			"❌ `1.0.1` did not arrive in `shop/dev`: web is Degraded: &lt;b>CrashLoop&lt;/b>\n\n- `step-1`: pushed\n\nComment `/promote dev` to try again.\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := DescribeOutcome(Outcome{Promotion: c.promotion, Freight: version("1.0.1"), Pipeline: c.pipeline})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// hostile are texts that would act if they stood outside a code span unquoted.
var hostile = []string{
	"`", "``` ```", "|", "a\n/merge\nb", "\r\n/close", "@all", "</details>", "<script>alert(1)</script>", "![x](https://evil.example/x.png)",
	"[gates](javascript:alert(1))", "<!--", "-->", "Closes #1", "Fixes GH-1", "https://evil.example", "www.evil.example", "\\|", "\\", "~~~",
	"\u2028/approve", "\u202egnp.exe", "\x00\x1b[31m", "\xff\xfe", "# heading", "[gates]: https://evil.example", "&lt;", "`@all", "@all`",
}

func TestDescribeIsInert(t *testing.T) {
	for _, text := range hostile {
		t.Run(text, func(t *testing.T) { describeEverywhere(t, text) })
	}
}

func FuzzDescribe(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(describeEverywhere)
}

// describeEverywhere puts a text wherever text of others is written and looks at every page.
func describeEverywhere(t *testing.T, text string) {
	t.Helper()
	stage := StageRef{text, text}
	freight := Freight{ID: FreightID(text), Project: text, Warehouse: text, Artifacts: Artifacts{Images: []Image{{RepoURL: text, Tag: text, Digest: text}}}}
	p := Promotion{
		ID: PromotionID(text), Stage: stage, Actor: text, Title: text, Text: text, Message: text, Merged: Commit(text),
		Moves:   []Move{{File: text, Key: text, Before: text, After: text}},
		Results: []StepResult{{As: text, Status: StepFailed, Message: text}},
	}
	var gates Gates
	for _, gate := range GateNames() {
		gates = append(gates, Gate{gate.Name, Block, text})
	}
	edit := Describe(Description{Promotion: p, Freight: freight, Gates: gates})
	inert(t, edit.Description)
	if strings.ContainsAny(edit.Title, "\r\n") || !utf8.ValidString(edit.Title) || len(edit.Title) > 200 || edit.Title == "" {
		t.Errorf("title = %q", edit.Title)
	}
	if rows := strings.Count(edit.Description, "\n| ❌ |"); rows != len(gates) {
		t.Errorf("%d rows for %d gates", rows, len(gates))
	}
	inert(t, StatusTable([]StageStatus{{Stage: stage, Runs: text, Next: text, Reason: text, Change: 1}}))
	pipeline := Pipeline{Project: text, Stages: []Stage{{Name: text, Requests: []FreightRequest{{Stages: []string{text}}}}}}
	inert(t, DescribeOutcome(Outcome{Promotion: p, Freight: freight, Pipeline: pipeline}))
	p.Phase = PhaseSucceeded
	inert(t, DescribeOutcome(Outcome{Promotion: p, Freight: freight, Pipeline: pipeline}))
	for _, verb := range []Verb{VerbPromote, VerbHold, VerbResume, VerbStatus, Verb(text)} {
		for _, s := range []State{idleShop(held(prod, text)), open(held(dev, text))} {
			command := Command{
				Verb: verb, Arguments: strings.Fields(text), Permission: PermissionAdmin,
				Comment: Comment{ID: 1, Change: 7, Author: text}, Change: Change{Number: 7, Branch: "lockkeeper/shop/prod"},
			}
			s.Commands = []Command{command}
			for _, action := range Decide(s).Actions {
				switch a := action.(type) {
				case Reply:
					inert(t, a.Body)
				case PostStatus:
					if d := a.Status.Description; len(d) > 255 || !utf8.ValidString(d) || strings.ContainsAny(d, "\r\n") {
						t.Errorf("status = %q", d)
					}
				case UpdateChange:
					inert(t, a.Edit.Description)
				default:
				}
			}
		}
	}
}

var (
	quickAction = regexp.MustCompile(`(?m)^\s*/[A-Za-z]`)
	acting      = regexp.MustCompile(`@[A-Za-z]|#[0-9]|GH-[0-9]|<[A-Za-z/!]|(?:^|[^\\])\[|://`)
	ownHTML     = strings.NewReplacer("<details><summary>Where this comes from</summary>", "", "</details>\n", "")
)

// inert checks that nothing in a page acts: no line is a quick action, and outside of code spans there is no mention, no
// reference, no HTML but ours, no link and no image.
func inert(t *testing.T, page string) {
	t.Helper()
	if !utf8.ValidString(page) {
		t.Errorf("not valid UTF-8: %q", page)
	}
	if found := quickAction.FindString(page); found != "" {
		t.Errorf("the line %q is a quick action in:\n%s", found, page)
	}
	if strings.ContainsAny(page, "\r\u2028\u2029\x00") {
		t.Errorf("control characters in %q", page)
	}
	for line := range strings.Lines(ownHTML.Replace(page)) {
		outside := outsideSpans(line)
		if found := acting.FindString(outside); found != "" {
			t.Errorf("%q acts in the line %q (outside of code: %q)", found, line, outside)
		}
	}
}

// outsideSpans removes the code spans of a line, as CommonMark finds them.
func outsideSpans(line string) string {
	var b strings.Builder
	for line != "" {
		start := strings.IndexByte(line, '`')
		if start < 0 {
			break
		}
		if start > 0 && line[start-1] == '\\' {
			b.WriteString(line[:start+1])
			line = line[start+1:]
			continue
		}
		b.WriteString(line[:start])
		rest := strings.TrimLeft(line[start:], "`")
		mark := line[start : len(line)-len(rest)]
		end := closing(rest, mark)
		if end < 0 {
			b.WriteString(mark)
			line = rest
			continue
		}
		line = rest[end+len(mark):]
	}
	return b.String() + line
}

func closing(text, mark string) int {
	for at := 0; at < len(text); {
		start := strings.IndexByte(text[at:], '`')
		if start < 0 {
			return -1
		}
		start += at
		rest := strings.TrimLeft(text[start:], "`")
		if len(text)-start-len(rest) == len(mark) {
			return start
		}
		at = len(text) - len(rest)
	}
	return -1
}
