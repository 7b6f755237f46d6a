package step

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/promote"
)

func TestAnalysisWeb(t *testing.T) {
	up, down, odd := reply{200, "", `{"data":{"status":"up","n":1}}`}, reply{200, "", `{"data":{"status":"down","n":2}}`}, reply{200, "", `{"data":{"status":"odd","n":3}}`}
	broken := reply{500, "", `{}`}
	const isUp = `jsonPath: "{$.data.status}", successCondition: "result == 'up'"`
	for _, test := range []struct {
		name    string
		config  string
		answers []reply
		asked   int
		value   string // of the output, when it succeeds
		fails   string
		errored bool
	}{
		{"without conditions any answer is a success", `{url: URL}`, []reply{up}, 1, `"value":"{\"data\":{\"n\":1,\"status\":\"up\"}}"`, "", false},
		{"one measurement by default", `{url: URL, ` + isUp + `}`, []reply{up}, 1, `"value":"up"`, "", false},
		{"one failure is too many by default", `{name: health, url: URL, ` + isUp + `, count: 3, interval: 10s}`, []reply{up, down}, 2, "", "health: 1 measurements failed, at most 0; last value down", false},
		{"failures up to the limit", `{url: URL, ` + isUp + `, count: "3", interval: 10s, failureLimit: 1}`, []reply{down, up, up}, 3, `"failed":1`, "", false},
		{"failures without limit", `{url: URL, ` + isUp + `, count: 2, interval: 10s, failureLimit: -1}`, []reply{down}, 2, `"failed":2`, "", false},
		{"a failure condition alone", `{url: URL, jsonPath: "{.data.n}", failureCondition: "result > 1"}`, []reply{up}, 1, `"value":"1"`, "", false},
		{"a failure condition that is true", `{url: URL, jsonPath: "{.data.n}", failureCondition: "result > 1"}`, []reply{down}, 1, "", "1 measurements failed", false},
		{
			"neither condition is true", `{url: URL, jsonPath: "{.data.n}", successCondition: "result == 1", failureCondition: "result == 2"}`,
			[]reply{odd},
			1, "", "1 measurements were inconclusive, at most 0; last value 3", false,
		},
		{
			"as many inconclusive ones as may be", `{url: URL, jsonPath: "{.data.n}", successCondition: "result == 1", failureCondition: "result == 2", inconclusiveLimit: 1, count: 2, interval: 1s}`,
			[]reply{odd, up},
			2, `"inconclusive":1`, "", false,
		},
		{"errors do not count as measurements", `{url: URL, ` + isUp + `}`, []reply{broken, broken, up}, 3, `"errors":2`, "", false},
		{"five errors in a row", `{url: URL, ` + isUp + `}`, []reply{broken}, 5, "", "5 errors in a row, at most 4", true},
		{"errors that are not in a row", `{url: URL, ` + isUp + `, count: 2, interval: 1s, consecutiveErrorLimit: 1}`, []reply{broken, up, broken, up}, 4, `"errors":2`, "", false},
		{"no error at all", `{url: URL, ` + isUp + `, consecutiveErrorLimit: 0}`, []reply{broken}, 1, "", "500 Internal Server Error, expected 2xx", true},
		{"what is not found is an error", `{url: URL, jsonPath: "{$.nothing}", consecutiveErrorLimit: 0}`, []reply{up}, 1, "", "nothing is not found", true},
		{"text where JSON is looked into", `{url: URL, jsonPath: "{$.a}", consecutiveErrorLimit: 0}`, []reply{{200, "text/plain", "up"}}, 1, "", "no JSON", true},
		{"text", `{url: URL, successCondition: "result == 'up'"}`, []reply{{200, "text/plain", "up"}}, 1, `"value":"up"`, "", false},
		{"a condition with a mistake is an error", `{url: URL, successCondition: "reslt == 1", consecutiveErrorLimit: 0}`, []reply{up}, 1, "", "reslt", true},
		{"a filter", `{url: URL, jsonPath: "{.items[?(@.name==\"b\")].v}", successCondition: result == 2}`, []reply{{200, "", `{"items":[{"name":"a","v":1},{"name":"b","v":2}]}`}}, 1, `"value":"2"`, "", false},
		{"enough successes in a row", `{url: URL, ` + isUp + `, consecutiveSuccessLimit: 2, interval: 1s, failureLimit: -1}`, []reply{up, down, up, up}, 4, `"successful":3`, "", false},
		{
			"not enough successes in a row", `{url: URL, ` + isUp + `, consecutiveSuccessLimit: 2, count: 2, interval: 1s, failureLimit: -1}`,
			[]reply{down, up},
			2, "",
			"only the last 1 of 2 measurements succeeded in a row, expected 2", false,
		},
		{"an interval without an end", `{url: URL, interval: 1s}`, []reply{up}, 0, "", "config.count is missing", false},
		{"a path that is none", `{url: URL, jsonPath: "{$.a"}`, []reply{up}, 0, "", "config.jsonPath", false},
		{"a path that searches too much", `{url: URL, jsonPath: "{..a..b}"}`, []reply{up}, 0, "", "searches too much", false},
		{"an answer that is too deep", `{url: URL, jsonPath: "{..a}", consecutiveErrorLimit: 0}`, []reply{{200, "", strings.Repeat("[", 200) + strings.Repeat("]", 200)}}, 1, "", "more than 100 levels deep", true},
		{"a loop", `{url: URL, jsonPath: "{range .a[*]}{.b}{end}"}`, []reply{up}, 0, "", "is a loop", false},
		{"no URL", `{}`, []reply{up}, 0, "", "config.url is missing", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.answers...)
			result, _ := finish(t, alone(t, web(), fill("[{uses: analysis-web, as: look, config: "+test.config+"}]", s)))
			if result.Failed != (test.fails != "") || !strings.Contains(result.Message, test.fails) {
				t.Fatalf("failed is %t: %s; want %q", result.Failed, result.Message, test.fails)
			}
			if got := result.Results[0].Status == promote.StepErrored; got != test.errored {
				t.Errorf("status %s", result.Results[0].Status)
			}
			if got := output(t, result); !strings.Contains(got, test.value) {
				t.Errorf("output %s, want %s", got, test.value)
			}
			if len(s.got) != test.asked {
				t.Errorf("%d requests, want %d", len(s.got), test.asked)
			}
		})
	}
}

func TestAnAnalysisWaitsBetweenMeasurements(t *testing.T) {
	s := newSite(t, reply{200, "", `{"n":1}`})
	request := alone(t, web(), fill(`[{uses: analysis-web, as: look, config: {name: size, url: URL, method: PUT, body: '{}', jsonPath: "{.n}", initialDelay: 1m, interval: 20s, count: 2}}]`, s))
	first := run1(t, request)
	if first.Next != time.Minute || len(s.got) != 0 || first.Results[0].Message != "measures size in 1m0s" {
		t.Fatalf("%+v after %d requests", first, len(s.got))
	}
	request = again(t, request, first, time.Minute)
	second := run1(t, request)
	if second.Next != 20*time.Second || second.Results[0].Message != "size: 1 measurements so far, 0 failed; last value 1" {
		t.Fatalf("%+v", second)
	}
	if third := run1(t, again(t, request, second, 20*time.Second)); third.Wait != promote.WaitsNothing || third.Failed {
		t.Fatalf("%+v", third)
	}
	if diff := cmp.Diff(asked{"PUT", "/", "{}", ""}, s.got[1]); diff != "" || len(s.got) != 2 {
		t.Errorf("%d requests\n%s", len(s.got), diff)
	}
}

func TestAnalysisPrometheus(t *testing.T) {
	vector := func(values ...string) reply {
		var all []string
		for _, value := range values {
			all = append(all, `{"metric":{},"value":[1700000000.1,"`+value+`"]}`)
		}
		return reply{200, "", `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(all, ",") + `]}}`}
	}
	scalar := reply{200, "", `{"status":"success","data":{"resultType":"scalar","result":[1700000000,"0.5"]}}`}
	matrix := reply{200, "", `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"3"]]}]}}`}
	for _, test := range []struct {
		name   string
		config string
		answer reply
		value  string
		fails  string
	}{
		{"a vector", `successCondition: "result[0] >= 0.95"`, vector("0.97"), "[0.97]", ""},
		{"a vector that is too low", `successCondition: "result[0] >= 0.95"`, vector("0.5"), "", "last value [0.5]"},
		{"no series", `successCondition: "len(result) == 0 || result[0] < 1"`, vector(), "[]", ""},
		{"no number", `successCondition: "isNaN(result[0])"`, vector("NaN"), "[NaN]", ""},
		{"infinite", `successCondition: "isInf(result[0])"`, vector("+Inf"), "[+Inf]", ""},
		{"a scalar", `successCondition: "result == 0.5"`, scalar, "0.5", ""},
		{"a matrix", `successCondition: "result[0][1] == 3", rangeQuery: {start: -5m, end: now, step: 1m}`, matrix, "[[1,3]]", ""},
		{"a mistake in the query", `consecutiveErrorLimit: 0`, reply{400, "", `{"status":"error","errorType":"bad_data","error":"parse error"}`}, "", "400 Bad Request: parse error"},
		{"something else", `consecutiveErrorLimit: 0`, reply{200, "text/html", `<p>`}, "", "not as Prometheus does"},
		{"a vector of nothing", `consecutiveErrorLimit: 0`, reply{200, "", `{"status":"success","data":{"resultType":"vector","result":[{}]}}`}, "", "a number in quotes was expected"},
		{"a range without a step", `rangeQuery: {start: -5m, end: now}`, matrix, "", "config.rangeQuery.step"},
		{"a range that ends before it begins", `rangeQuery: {start: now, end: -5m, step: 1m}`, matrix, "", "is not before its end"},
		{"a range of nothing", `rangeQuery: {start: yesterday, end: now, step: 1m}`, matrix, "", `config.rangeQuery.start is "yesterday"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.answer)
			result, _ := finish(t, alone(t, web(), fill("[{uses: analysis-prometheus, as: look, config: {address: URL/, query: up, "+test.config+"}}]", s)))
			if result.Failed != (test.fails != "") || !strings.Contains(result.Message, test.fails) {
				t.Fatalf("%q, want %q", result.Message, test.fails)
			}
			if got := output(t, result); !strings.Contains(got, `"value":"`+test.value+`"`) && test.fails == "" {
				t.Errorf("output %s, want %s", got, test.value)
			}
			for _, request := range s.got {
				want := "/api/v1/query?query=up"
				if strings.Contains(test.config, "rangeQuery") {
					want = "/api/v1/query_range?end=2026-05-02T08%3A34%3A29Z&query=up&start=2026-05-02T08%3A29%3A29Z&step=60"
				}
				if request.URI != want {
					t.Errorf("asked %s, want %s", request.URI, want)
				}
			}
		})
	}
}

func FuzzPicker(f *testing.F) {
	for _, path := range []string{"{$.a.b}", "{.a[0]}", "{.a[?(@.b==\"c\")].d}", "{.a[0:2]}", "{..a}", "{.a['b','c']}", "{.a[*]}", "{.a[-1:]}", "text {.a}", "{range .a[*]}{.b}{end}"} {
		f.Add(path, []byte(`{"a":[{"b":"c","d":1},{"b":"e"}]}`))
	}
	f.Fuzz(func(_ *testing.T, path string, data []byte) {
		if pick, err := newPicker(path); err == nil {
			_, _ = pick.from(data)
		}
	})
}

func FuzzPrometheusValue(f *testing.F) {
	f.Add([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"2"]}]}}`))
	f.Add([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"2"]]}]}}`))
	f.Add([]byte(`{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`))
	f.Add([]byte(`{"status":"success","data":{"resultType":"scalar","result":[]}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if value, err := prometheusValue(answer{status: 200, body: data}); err == nil {
			_ = shownValue(value)
		}
	})
}
