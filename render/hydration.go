package render

import (
	"fmt"

	"github.com/lockkeeper/lockkeeper/render/argocd"
	"github.com/lockkeeper/lockkeeper/render/finding"
)

// hydration tells what is shown of an Application whose manifests Argo CD writes to a branch.
func hydration(app argocd.Application) []Finding {
	h := app.Hydrator
	if h == nil {
		return nil
	}
	message := fmt.Sprintf("sourceHydrator: shown is what Argo CD makes of the dry source; it deploys it from folder %q of branch %q", h.Sync.Path, h.Sync.TargetRevision)
	if h.Deployed {
		message = fmt.Sprintf("sourceHydrator: shown is what stands in folder %q of branch %q, which Argo CD wrote; the dry source is not rendered", h.Sync.Path, app.Sources[0].TargetRevision)
	}
	return []Finding{{Severity: finding.Info, Code: "hydrated-source", Message: message}}
}
