package expr

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRunMeasurement(t *testing.T) {
	for _, test := range []struct {
		expression string
		result     any
		want       any
		fails      bool
	}{
		{"result == 'ok'", "ok", true, false},
		{"result[0] >= 0.95", []any{0.96}, true, false},
		{"len(result) == 0 || result[0] < 1", []any{}, true, false},
		{"all(result, # < 0.1)", []any{0.01, 0.2}, false, false},
		{"isNaN(result)", math.NaN(), true, false},
		{"isNaN(result)", "NaN", false, false},
		{"isInf(result)", math.Inf(-1), true, false},
		{"isNil(result)", nil, true, false},
		{"asInt(result) > 6", "7.9", true, false},
		{"asInt(result)", "seven", nil, true},
		{"asInt(result)", math.NaN(), nil, true},
		{"asInt(result)", 1e300, nil, true},
		{"asFloat(result) + 0.5", "1", 1.5, false},
		{"asFloat(result)", true, nil, true},
		{"default(result, 3)", nil, 3, false},
		{"default(result, 3)", math.NaN(), 3, false},
		{"default(result, 3)", 4.0, 4.0, false},
		{"result.status == 'up'", map[string]any{"status": "up"}, true, false},
		{"results == 1", 1, nil, true},
	} {
		got, err := RunMeasurement(test.expression, test.result)
		if (err != nil) != test.fails {
			t.Errorf("%s: %v", test.expression, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s:\n%s", test.expression, diff)
		}
	}
}
