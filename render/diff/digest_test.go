package diff

import (
	"testing"

	"github.com/lockkeeper/lockkeeper/render/object"
)

func configMap(name, value string) object.Object {
	return object.Object{Fields: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name}, "data": map[string]any{"x": value},
	}}
}

// changing is an application whose ConfigMap changes, beside one that stays.
func changing(name, before, after string) App {
	return App{Name: name, Base: []object.Object{configMap("a", before)}, Head: []object.Object{configMap("a", after)}}
}

func TestDigest(t *testing.T) {
	app := changing("web", "1", "2")
	of := func(edit func(*App)) Report {
		other := changing("web", "1", "2")
		edit(&other)
		return Compare([]App{other})
	}
	seen := map[string]string{}
	for _, row := range []struct {
		name   string
		report Report
	}{
		{"nothing", Report{}},
		{"a change", Compare([]App{app})},
		{"another value before", Compare([]App{changing("web", "0", "2")})},
		{"another value after", Compare([]App{changing("web", "1", "3")})},
		{"another application", Compare([]App{changing("api", "1", "2")})},
		{"one application more", Compare([]App{app, changing("api", "1", "2")})},
		{"one object more", of(func(a *App) { a.Head = append(a.Head, configMap("b", "1")) })},
		{"another cluster", of(func(a *App) { a.BaseCluster, a.HeadCluster = "one", "two" })},
		{"a finding", of(func(a *App) { a.Findings = []Finding{{Severity: SeverityError, Message: "m"}} })},
		{"a finding about no application alone", Options{Findings: []Finding{{Message: "m"}}}.Compare([]App{app})},
		{"not rendered in full", of(func(a *App) { a.Partial = true })},
		{"an application of which nothing is known", Compare([]App{app, {Name: "api", Partial: true}})},
		{"other content of what stays beside what changes", of(func(a *App) {
			for _, side := range [][]object.Object{a.Base, a.Head} {
				side[0].Fields["data"].(map[string]any)["y"] = "1" //nolint:forcetypeassert // made above
			}
		})},
	} {
		digest, err := Digest(row.report)
		if other, same := seen[digest]; same || err != nil || len(digest) != 64 {
			t.Errorf("%s: digest %q as of %s, %v", row.name, digest, other, err)
		}
		seen[digest] = row.name
	}
	for name, report := range map[string]Report{
		"the same again":         Compare([]App{app}),
		"applications that stay": Options{Unchanged: 7}.Compare([]App{app, changing("api", "1", "1")}),
		"objects of the same one that stay": of(func(a *App) {
			a.Base, a.Head = append(a.Base, configMap("b", "1")), append(a.Head, configMap("b", "1"))
		}),
	} {
		if digest, err := Digest(report); seen[digest] != "a change" || err != nil {
			t.Errorf("%s: digest as of %q, %v", name, seen[digest], err)
		}
	}
}

func TestDigestTellsNothingOfSecrets(t *testing.T) {
	secret := func(value string) []object.Object {
		return []object.Object{{Fields: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "a"}, "data": map[string]any{"password": value},
		}}}
	}
	one, err := Digest(Compare([]App{{Name: "web", Base: secret("aaaa"), Head: secret("bbbb")}}))
	two, errTwo := Digest(Compare([]App{{Name: "web", Base: secret("cccc"), Head: secret("dddd")}}))
	if one != two || err != nil || errTwo != nil {
		t.Errorf("a digest in the ledger tells secrets apart: %s, %s, %v, %v", one, two, err, errTwo)
	}
}
