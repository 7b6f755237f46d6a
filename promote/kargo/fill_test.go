package kargo

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/promote/expr"
)

// FuzzFilled checks that no text becomes an expression, and that an expression between two texts leaves them alone.
func FuzzFilled(f *testing.F) {
	f.Add("a", "b")
	f.Add("${{ vars.x }}", "${% vars.x %}")
	f.Add("$", "{{ vars.x }}")
	f.Add(`"${{`, `}}"`)
	f.Add("$${", "{ 'a' }}\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		var text, both filled
		text.text(before)
		text.text(after)
		both.text(before)
		both.expression("${{ vars.x }}")
		both.text(after)
		for want, template := range map[string]string{before + after: text.String(), before + "middle" + after: both.String()} {
			if len(template) > 64<<10 {
				continue
			}
			value, err := expr.Eval(template, expr.Env{Vars: map[string]any{"x": "middle"}})
			if err != nil {
				t.Fatalf("%q: %v", template, err)
			}
			if got := value.Text(); got != want && got != " "+want {
				t.Errorf("%q gives %q, want %q", template, got, want)
			}
		}
	})
}
