package argocd

import "testing"

func TestTrackingID(t *testing.T) {
	for _, test := range []struct {
		app        Application
		group, obj string
		want       string
	}{
		{Application{Name: "web", Namespace: "argocd"}, "kro.run", "shop", "web:kro.run/App:develop/shop"},
		{Application{Name: "web"}, "", "shop", "web:/App:develop/shop"},
		{Application{Name: "web", Namespace: "team"}, "kro.run", "shop", "team_web:kro.run/App:develop/shop"},
	} {
		if got := test.app.TrackingID(test.group, "App", "develop", test.obj); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
