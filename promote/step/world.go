package step

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/git"
	"github.com/lockkeeper/lockkeeper/render/kustomize"
)

// World is what steps may reach besides the repository of the pipeline. A nil field is something that is not configured: a
// step that needs it fails and says what to configure.
type World struct {
	// URL is where people find this Lockkeeper; expressions read it as ctx.uiBaseUrl.
	URL string
	// HTTP makes the client of http, http-download and the analyses. It decides where steps may connect to.
	HTTP func(HTTPOptions) *http.Client
	// Git opens other repositories, for reading. It decides which ones and with what credentials.
	Git func(url string) (*git.Repository, error)
	// Secrets and ConfigMaps return what the server's configuration holds under a name. Shared ones belong to no project.
	Secrets    func(project, name string, shared bool) (map[string]string, bool)
	ConfigMaps func(project, name string, shared bool) (map[string]string, bool)
	// Registry reads and copies what registries hold.
	Registry Registry
	// Kustomize is kustomize.Build where it can be stopped; nil: that itself, in this process.
	Kustomize func(context.Context, kustomize.Request) (kustomize.Output, error)
	// Messages sends messages to people.
	Messages Messages
	// Comments writes comments on changes.
	Comments Comments
	// GitLab and GitHub start pipelines.
	GitLab Pipelines
	GitHub Pipelines
	// InGroup reports whether a person belongs to a group of the forge.
	InGroup func(ctx context.Context, group, person string) (bool, error)
}

// HTTPOptions are what a task says about how to connect.
type HTTPOptions struct {
	Proxy                 *url.URL // nil: as the server does
	InsecureSkipTLSVerify bool
}

// Registry reads and copies what registries hold. References are written as docker does.
type Registry interface {
	// Layer returns a layer of what ref names, and the digest of its manifest. More than limit bytes are an error.
	Layer(ctx context.Context, ref string, options RegistryOptions, limit int64) (data []byte, digest string, err error)
	// Copy copies an image or an index to another reference. Copying twice is no error.
	Copy(ctx context.Context, from, to string, options RegistryOptions) (Copied, error)
}

// RegistryOptions are what a task says about a reference.
type RegistryOptions struct {
	MediaType     string            // of the layer; empty: the first one
	Annotations   map[string]string // to add to a copy
	SkipTLSVerify bool
}

// Copied is a copy in a registry.
type Copied struct {
	Image  string // the reference
	Digest string
	Tag    string // empty when the reference has none
}

// Messages sends messages to people.
type Messages interface {
	// Send sends a message to a channel.
	Send(ctx context.Context, message Message) error
	// Channels lists the names of the channels.
	Channels() []string
}

// Message is one message.
type Message struct {
	Channel string // required
	Title   string
	Text    string // required
	Context MessageContext
}

// MessageContext says what a message is about, for receivers that are programs.
type MessageContext struct {
	Project   string `json:"project"`
	Stage     string `json:"stage"`
	Promotion string `json:"promotion"`
	Freight   string `json:"freight"`
	Change    string `json:"change,omitempty"` // its URL
}

// Comments writes comments on changes.
type Comments interface {
	// Comment writes a comment that begins with mark, a line that is not shown. A comment of ours that begins with it already
	// is brought up to date instead.
	Comment(ctx context.Context, change int, mark, body string) error
}

// Pipelines starts pipelines and watches them.
type Pipelines interface {
	// Start starts a pipeline, unless it finds the one that was started with the same Marker before. With After it only looks.
	Start(ctx context.Context, request PipelineRequest) (Pipeline, error)
	// Pipeline returns a pipeline that was started.
	Pipeline(ctx context.Context, project, id string) (Pipeline, error)
}

// PipelineRequest is a pipeline to start.
type PipelineRequest struct {
	Project   string // required: group/project, or owner/repository
	Workflow  string // the file of a GitHub workflow
	Ref       string // required: branch or tag
	Variables map[string]string
	Marker    string    // required: the same for every attempt to start the same pipeline, and for no other
	NotBefore time.Time // no pipeline from before is the one; zero: it may be any
	After     string    // Pipeline.After of an earlier answer: it was started, and has to be found
}

// Pipeline is a pipeline as its forge shows it.
type Pipeline struct {
	ID     string // empty: it was started, and the forge does not show it yet
	After  string // with no ID: where to look for it
	URL    string
	State  PipelineState
	Status string // in the words of the forge
}

// PipelineState is how far a pipeline is.
type PipelineState int

// The states of a pipeline.
const (
	PipelineRunning PipelineState = iota
	PipelineSucceeded
	PipelineFailed
)

// notConfigured says that a step needs something that the server was not given.
func notConfigured(what, remedy string) error {
	return fmt.Errorf("this server has no %s: %s", what, remedy)
}
