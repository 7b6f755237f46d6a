package step

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestHTTP(t *testing.T) {
	ok := reply{200, "", `{"status":"done","items":[{"n":7}]}`}
	for _, test := range []struct {
		name    string
		config  string
		answers []reply
		runs    int
		output  string
		fails   string // part of the message
	}{
		{"any 2xx is a success", `{url: URL}`, []reply{{204, "", ""}}, 1, `{}`, ""},
		{"any other status is a failure", `{url: URL}`, []reply{{503, "", ""}}, 1, "", "answers 503 Service Unavailable, expected 2xx"},
		{
			"it is asked until it succeeds", `{url: URL, successExpression: "response.status == 200 && response.body.status == 'done'", outputs: [{name: count, fromExpression: "response.body.items[0].n"}]}`,
			[]reply{{404, "", ""}, {200, "", `{"status":"new"}`}, ok},
			3, `{"count":7}`, "",
		},
		{
			"failure wins over success", `{url: URL, successExpression: "true", failureExpression: "response.body.status == 'done'"}`,
			[]reply{ok},
			1, "", "for which failureExpression is true",
		},
		{
			"with a failure alone it is asked until that is so", `{url: URL, failureExpression: "response.status == 410"}`,
			[]reply{ok, ok, {410, "", ""}},
			3, "", "410 Gone",
		},
		{"an error that the task sees", `{url: URL, errorExpression: "response.status >= 500"}`, []reply{{502, "", ""}}, 1, "", "errorExpression is true"},
		{
			"headers by any spelling", `{url: URL, outputs: [{name: a, fromExpression: "response.header('x-TRACE')"}, {name: b, fromExpression: "response.headers['X-Trace']"}]}`,
			[]reply{ok},
			1, `{"a":"t1","b":["t1"]}`, "",
		},
		{"YAML", `{url: URL, outputs: [{name: a, fromExpression: response.body.a}]}`, []reply{{200, "application/yaml", "a: [1, b]"}}, 1, `{"a":[1,"b"]}`, ""},
		{"text", `{url: URL, outputs: [{name: a, fromExpression: response.body}]}`, []reply{{200, "text/html", "<p>x"}}, 1, `{"a":"\u003cp\u003ex"}`, ""},
		{"JSON that says it is text", `{url: URL, responseContentType: application/json, outputs: [{name: a, fromExpression: response.body.a}, {name: b, fromExpression: response.body.missing}]}`, []reply{{200, "text/plain", `{"a":1}`}}, 1, `{"a":1,"b":null}`, ""},
		{"text that says it is JSON", `{url: URL}`, []reply{{200, "", `{`}}, 1, "", "set responseContentType: text/plain"},
		{"an expression of another type", `{url: URL, successExpression: response.status}`, []reply{ok}, 1, "", "expected true or false"},
		{"an expression with a mistake", `{url: URL, successExpression: response.boddy.state == 1}`, []reply{ok}, 1, "", "response.boddy"},
		{"an output that cannot be kept", `{url: URL, outputs: [{name: a, fromExpression: response.header}]}`, []reply{ok}, 1, "", "no value that can be kept"},
		{"no URL", `{method: GET}`, []reply{ok}, 1, "", "config.url is missing"},
		{"another scheme", `{url: "file:///etc/passwd"}`, []reply{ok}, 1, "", "config.url is not a URL"},
		{"an unknown key", `{url: URL, sucessExpression: x}`, []reply{ok}, 1, "", `did you mean "successExpression"?`},
		{"no duration", `{url: URL, timeout: soon}`, []reply{ok}, 1, "", `"soon" is not a duration`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.answers...)
			result, runs := finish(t, alone(t, web(), fill("[{uses: http, as: ask, config: "+test.config+"}]", s)))
			if result.Failed != (test.fails != "") || !strings.Contains(result.Message, test.fails) {
				t.Fatalf("failed is %t: %s; want %q", result.Failed, result.Message, test.fails)
			}
			if got := output(t, result); test.fails == "" && got != test.output {
				t.Errorf("output %s, want %s", got, test.output)
			}
			if runs != test.runs {
				t.Errorf("%d runs, want %d", runs, test.runs)
			}
		})
	}
}

func TestHTTPSendsWhatTheTaskSays(t *testing.T) {
	s := newSite(t, reply{201, "", `{}`})
	result, runs := finish(t, alone(t, web(), fill(`
- uses: http
  as: ask
  config:
    url: URL/a?x=1
    method: POST
    headers: [{name: Authorization, value: Bearer 1}]
    queryParams: [{name: "y z", value: "2"}]
    body: '{"promotion": "${{ ctx.promotion }}"}'
- {uses: compose-output, as: after, config: {a: b}}`, s)))
	if result.Failed {
		t.Fatal(result.Message)
	}
	want := []asked{{"POST", "/a?x=1&y+z=2", `{"promotion":"dev.0001.abc"}`, "Bearer 1"}}
	if diff := cmp.Diff(want, s.got); diff != "" {
		t.Error(diff)
	}
	if runs != 2 {
		t.Errorf("%d runs, want one that sends and records, and one that goes on", runs)
	}
}

func TestWhatWasSentIsNotSentAgainWhenThePromotionIsMadeAgain(t *testing.T) {
	s := newSite(t, reply{200, "", `{}`})
	request := alone(t, web(), fill(`[{uses: http, as: ask, config: {url: URL, method: POST}}]`, s))
	request = again(t, request, run1(t, request), 0)
	if result := run1(t, request); result.Failed || result.Wait != promote.WaitsNothing || len(s.got) != 1 {
		t.Errorf("%+v after %d requests", result, len(s.got))
	}
}

func TestADryRunTouchesNothingOutside(t *testing.T) {
	s := newSite(t, reply{200, "", `{}`})
	request := alone(t, web(), fill(`
- {uses: http, as: ask, config: {url: URL, method: POST}}
- {uses: compose-output, as: known, config: {a: b}}
- {uses: compose-output, as: unknown, config: {a: "${{ outputs.ask.id }}"}}`, s))
	request.Dry = true
	result := run1(t, request)
	if got, want := statuses(result), "Skipped Succeeded Running"; got != want || result.Failed || len(s.got) != 0 {
		t.Errorf("%s, failed is %t after %d requests, want %s: %s", got, result.Failed, len(s.got), want, result.Message)
	}
	request = alone(t, web(), fill(`[{uses: http, as: ask, config: {ulr: URL}}, {uses: fail, as: end, config: {message: x}}]`, s))
	request.Dry = true
	if result := run1(t, request); len(s.got) != 0 || result.Failed {
		t.Errorf("%+v", result)
	}
}

func TestHTTPErrorsCountUntilTheThreshold(t *testing.T) {
	s := newSite(t, reply{200, "", ``})
	s.Close()
	request := alone(t, web(), fill(`[{uses: http, as: ask, errorThreshold: 3, config: {url: "URL/x?token=hidden"}}]`, s))
	result, runs := finish(t, request)
	if !result.Failed || runs != 3 || result.Results[0].Status != promote.StepErrored {
		t.Errorf("%+v after %d runs, want it errored after 3", result, runs)
	}
	if strings.Contains(result.Message, "hidden") {
		t.Errorf("the message shows the query: %s", result.Message)
	}
}

func TestHTTPGivesUpAfterItsTimeout(t *testing.T) {
	s := newSite(t, reply{200, "", `{}`})
	result, runs := finish(t, alone(t, web(), fill(`[{uses: http, as: ask, timeout: 90s, config: {url: URL, successExpression: "false"}}]`, s)))
	if !result.Failed || !strings.Contains(result.Message, "not done after 1m30s") || runs != 4 {
		t.Errorf("%s after %d runs", result.Message, runs)
	}
}

func TestHTTPOptions(t *testing.T) {
	s := newSite(t, reply{200, "", `{}`})
	var got []string
	world := World{HTTP: func(o HTTPOptions) *http.Client {
		proxy := ""
		if o.Proxy != nil {
			proxy = o.Proxy.String()
		}
		if o.InsecureSkipTLSVerify {
			proxy += " insecure"
		}
		got = append(got, proxy)
		return &http.Client{}
	}}
	result, _ := finish(t, alone(t, world, fill(`[{uses: http, as: ask, config: {url: URL, proxy: "http://proxy:3128", insecureSkipTLSVerify: "true"}}]`, s)))
	if diff := cmp.Diff([]string{"http://proxy:3128 insecure"}, got); result.Failed || diff != "" {
		t.Error(result.Message, diff)
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	s := newSite(t, reply{200, "text/plain", strings.Repeat("x", maxAnswerBytes+1)})
	result, _ := finish(t, alone(t, web(), fill(`[{uses: http, as: ask, config: {url: URL}}]`, s)))
	if !result.Failed || !strings.Contains(result.Message, "more than 10485760 bytes") {
		t.Error(result.Message)
	}
}

func TestWithoutAWorldStepsSayWhatToConfigure(t *testing.T) {
	for _, test := range []struct{ step, want string }{
		{`{uses: http, as: a, config: {url: "http://x"}}`, "outbound"},
		{`{uses: http-download, as: a, config: {url: "http://x", outPath: ./x}}`, "outbound"},
		{`{uses: send-message, as: a, config: {channel: ops, message: x}}`, "configure messages"},
		{`{uses: gha-dispatch-workflow, as: a, config: {repo: a/b, workflow: x, ref: main}}`, "configure github"},
		{`{uses: gitlab-trigger-pipeline, as: a, config: {project: a/b, ref: main}}`, "GitLab"},
		{`{uses: add-comment, as: a, config: {body: x, number: 1}}`, "comments need one"},
	} {
		result := run1(t, alone(t, World{}, "["+test.step+"]"))
		if !result.Failed || !strings.Contains(result.Message, test.want) {
			t.Errorf("%s: %q does not say %q", test.step, result.Message, test.want)
		}
	}
}

func TestHTTPDownload(t *testing.T) {
	for _, test := range []struct {
		name   string
		config string
		answer reply
		fails  string
	}{
		{"a file", `{url: URL, outPath: ./a.json}`, reply{200, "", `{"a":"downloaded"}`}, ""},
		{"over another one", `{url: URL, outPath: ./b.json, allowOverwrite: true}`, reply{200, "", `{}`}, ""},
		{"not over another one", `{url: URL, outPath: ./b.json}`, reply{200, "", `{}`}, "is there already"},
		{"not found", `{url: URL, outPath: ./a.json}`, reply{404, "", `{}`}, "404 Not Found, expected 2xx"},
		{"out of the workspace", `{url: URL, outPath: ../a.json}`, reply{200, "", `{}`}, "leaves the promotion's directory"},
		{"too large", `{url: URL, outPath: ./a.json}`, reply{200, "", strings.Repeat("x", maxFileBytes+1)}, "more than 10485760 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.answer)
			request := alone(t, web(), fill("[{uses: http-download, as: get, config: "+test.config+"}]", s))
			r := newRun(request)
			if err := r.workspace.write("./b.json", []byte("old"), 0); err != nil {
				t.Fatal(err)
			}
			if _, err := r.one(t.Context(), request.Promotion.Steps[0]); err != nil {
				t.Fatal(err)
			}
			if r.failed != (test.fails != "") || !strings.Contains(r.result.Message, test.fails) {
				t.Fatalf("%q, want %q", r.result.Message, test.fails)
			}
			if test.fails != "" {
				return
			}
			name := "./" + strings.TrimSuffix(strings.SplitAfter(test.config, "outPath: ./")[1], "}")
			name, _, _ = strings.Cut(name, ",")
			if data, err := r.workspace.read(t.Context(), name); err != nil || string(data) != test.answer.body {
				t.Errorf("%s holds %q, %v", name, data, err)
			}
		})
	}
}

func TestARequestIsGivenItsTime(t *testing.T) {
	hung := make(chan struct{})
	s := newSite(t, reply{200, "", `{}`})
	s.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hung })
	defer close(hung)
	result, _ := finish(t, alone(t, web(), fill(`[{uses: http, as: ask, config: {url: URL, timeout: 20ms}}]`, s)))
	if !result.Failed || !strings.Contains(result.Message, "no answer within "+(20*time.Millisecond).String()) {
		t.Error(result.Message)
	}
}

func TestNoSecretIsRecorded(t *testing.T) {
	s := newSite(t, reply{404, "", `{"echo":"hunter22"}`}, reply{200, "", `{"echo":"hunter22"}`})
	world := web()
	world.Secrets = func(project, name string, shared bool) (map[string]string, bool) {
		return map[string]string{"token": "hunter22"}, project == "develop" && name == "api" && !shared
	}
	result, _ := finish(t, alone(t, world, fill(`
- {uses: http, as: bad, continueOnError: true, config: {url: "URL/${{ secret('api').token }}", headers: [{name: Authorization, value: "Bearer ${{ secret('api').token }}"}]}}
- {uses: http, as: good, config: {url: "URL/${{ secret('api').token }}", outputs: [{name: a, fromExpression: response.body.echo}]}}
- {uses: compose-output, as: copy, config: {copied: "${{ outputs.good.a }}"}}
- {uses: fail, as: end, config: {message: "no ${{ secret('api').token }}"}}`, s)))
	recorded, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(recorded), "hunter22") {
		t.Errorf("%s", recorded)
	}
	if got := string(result.Results[2].Output); got != `{"copied":"[redacted]"}` {
		t.Errorf("got %s: later steps see what a resumed run would", got)
	}
	if want := (asked{"GET", "/hunter22", "", "Bearer hunter22"}); s.got[0] != want {
		t.Errorf("asked %+v, want %+v", s.got[0], want)
	}
	if result.Message != "step end (fail): no [redacted]" {
		t.Errorf("message %q", result.Message)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("application/json", []byte(`{"a":[1,null]}`))
	f.Add("application/yaml", []byte("a: &x [1]\nb: *x\n"))
	f.Add("text/html; charset=utf-8", []byte("<p>"))
	f.Add("application/problem+json", []byte(`[]`))
	f.Add(";", []byte("\xff"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		got := answer{status: 200, header: http.Header{"Content-Type": {kind}}, body: body}
		response, err := got.response("")
		if err != nil {
			return
		}
		values, err := outputsOf([]expressionConfig{{Name: "all", FromExpression: "response.body"}}, response)
		if err == nil && len(values) != 1 {
			t.Errorf("%d outputs", len(values))
		}
	})
}
