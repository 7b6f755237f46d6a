package step

import (
	"net/http"

	"github.com/lockkeeper/lockkeeper/internal/git"
)

// World is what steps may reach besides the repository of the pipeline. A nil field is something that is not configured: a
// step that needs it fails and says what to configure.
type World struct {
	// URL is where people find this Lockkeeper; expressions read it as ctx.uiBaseUrl.
	URL string
	// HTTP carries the requests of http and http-download. Its transport decides where steps may connect to.
	HTTP *http.Client
	// Git opens other repositories, for reading. It decides which ones and with what credentials.
	Git func(url string) (*git.Repository, error)
	// Secrets and ConfigMaps return what the server's configuration holds under a name. Shared ones belong to no project.
	Secrets    func(project, name string, shared bool) (map[string]string, bool)
	ConfigMaps func(project, name string, shared bool) (map[string]string, bool)
}
