package argocd

import "fmt"

// TrackingKey is the annotation by which Argo CD finds the objects that it applied.
const TrackingKey = "argocd.argoproj.io/tracking-id"

// TrackingID is what Argo CD writes there for an object of the Application, by its default since 3.0. Of an Application outside
// of Argo CD's own namespace, which is taken to be argocd, the id names that, too.
func (a Application) TrackingID(group, kind, namespace, name string) string {
	app := a.Name
	if a.Namespace != "" && a.Namespace != "argocd" {
		app = a.Namespace + "_" + a.Name
	}
	return fmt.Sprintf("%s:%s/%s:%s/%s", app, group, kind, namespace, name)
}
