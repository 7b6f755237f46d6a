package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/internal/forge/devforge"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

// demoTimeout bounds the whole story of demo --once.
const demoTimeout = 3 * time.Minute

type demoOptions struct {
	once    bool
	listen  string
	dir     string
	forge   string
	verbose bool
}

func newDemo(env environment) *cobra.Command {
	var options demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a promotion happen: no account, no cluster, no network",
		Long: `Demo starts a registry, a forge with a GitOps repository, Argo CD's API and the bot in this process, on loopback. It pushes
image 1.0.2, and the bot does the rest: look at the merge request in your browser, comment /help, merge it, and watch
production follow.`,
		Example: `  lockkeeper demo                 # stays up; the page is printed
  lockkeeper demo --once          # the whole story without a person
  lockkeeper demo --forge github  # on a GitHub, as a GitHub App
  lockkeeper demo push 1.0.3 --to 127.0.0.1:5000/your-name/your-app`,
		Args: onlyFlags(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), env, options)
		},
	}
	cmd.Flags().BoolVar(&options.once, "once", false, "run the story through both stages without a person, and exit")
	cmd.Flags().StringVar(&options.listen, "listen", "127.0.0.1:0", "loopback address of the forge's page")
	cmd.Flags().StringVar(&options.dir, "dir", "", "keep repositories and queue here (default: a temporary directory)")
	cmd.Flags().StringVar(&options.forge, "forge", forgeGitLab, "gitlab or github")
	cmd.Flags().BoolVar(&options.verbose, "verbose", false, "print the bot's log")
	cmd.AddCommand(newDemoPush(env))
	return cmd
}

func newDemoPush(env environment) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:     "push TAG",
		Short:   "Push another image to the registry of a running demo",
		Example: `  lockkeeper demo push 1.0.3 --to 127.0.0.1:5000/your-name/your-app`,
		Args:    oneWord("the tag of the image"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return errors.New("--to is missing: the demo prints the whole command when it starts")
			}
			if err := pushImage(cmd.Context(), to, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(env.out, "pushed %s:%s\n", to, args[0])
			return err
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "image repository, as the demo prints it")
	return cmd
}

func demo(ctx context.Context, env environment, options demoOptions) (err error) {
	if err := loopback(options.listen); err != nil {
		return err
	}
	if options.forge != forgeGitLab && options.forge != forgeGitHub {
		return fmt.Errorf("--forge is %q: expected %s or %s", options.forge, forgeGitLab, forgeGitHub)
	}
	dir, remove, err := worldDir(options.dir)
	if err != nil {
		return err
	}
	defer remove()
	log := io.Discard
	if options.verbose {
		log = env.err
	}
	pace := 1500 * time.Millisecond
	if options.once {
		pace = 100 * time.Millisecond
	}
	w, err := newWorld(ctx, worldConfig{dir: dir, listen: options.listen, log: newLog(log, "text", true), pace: pace, github: options.forge == forgeGitHub})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	running, stop := context.WithCancel(ctx)
	defer stop()
	outcomes := make(chan reconcile.Outcome, 64)
	stopped, err := startDemoBot(running, w, func(o reconcile.Outcome) {
		select {
		case outcomes <- o:
		default:
		}
	})
	if err != nil {
		return err
	}
	story := &story{world: w, out: env.out, outcomes: outcomes, person: &person{world: w, http: http.DefaultClient}}
	if options.once {
		err = story.once(running)
	} else {
		err = story.open(running)
	}
	stop()
	return errors.Join(err, <-stopped)
}

func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen is %q: expected 127.0.0.1:port", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--listen is %q: the demo lets anybody merge, so it listens on loopback only", address)
	}
	return nil
}

// startDemoBot starts the real bot against a world.
func startDemoBot(ctx context.Context, w *world, tell func(reconcile.Outcome)) (<-chan error, error) {
	for _, tag := range []string{"1.0.0", "1.0.1"} {
		if err := pushImage(ctx, w.image(), tag); err != nil {
			return nil, err
		}
	}
	cfg, s := w.serverConfig()
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	p, err := newParts(cfg, s, w.log)
	if err != nil {
		return nil, err
	}
	if d, ok := p.argo.(*deliverer); ok {
		d.patience, d.longest = demoPatience(), 250*time.Millisecond
	}
	b, places, err := newBot(ctx, p, func(r *reconcile.Reconciler) bot.Runner { return observed{r, tell} })
	if err != nil {
		return nil, err
	}
	p.warn(ctx, places)
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	forge := forgeGitLab
	if w.github {
		forge = forgeGitHub
	}
	hook := devforge.Hook{URL: "http://" + listener.Addr().String() + "/webhook/" + forge, Token: webhookToken}
	if _, err := w.forge.AddHook(worldProject, hook); err != nil {
		return nil, err
	}
	w.onPush = func() {
		if err := b.Notify(ctx, worldProject, promote.Event{Kind: promote.EventArtifact}); err != nil {
			w.log.ErrorContext(ctx, "notify", "error", err)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- serveBot(ctx, b, listener) }()
	return stopped, nil
}

// story tells what happens in a world.
type story struct {
	world    *world
	out      io.Writer
	outcomes <-chan reconcile.Outcome
	person   *person
	last     reconcile.Outcome
}

func (s *story) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// open lets a person play: it pushes 1.0.2, says where to look, and stays up.
func (s *story) open(ctx context.Context) error {
	s.say("A GitOps repository, a registry, Argo CD and the bot are up.")
	s.say("\n  the repository   %s/%s", s.world.forgeURL, worldProject)
	if err := s.until(ctx, "the stages to be adopted", s.allRun("1.0.1")); err != nil {
		return err
	}
	s.say("  both stages run  1.0.1")
	if err := pushImage(ctx, s.world.image(), "1.0.2"); err != nil {
		return err
	}
	s.say("  image pushed     1.0.2")
	if err := s.until(ctx, "the "+s.request(), s.proposed("1.0.2")); err != nil {
		return err
	}
	change := s.openChange("1.0.2")
	s.say("\nThe %s is open: look at it, comment /help, merge it.\n\n  %s\n", s.request(), change.URL)
	s.say("Push another image from another terminal:\n\n  bin/lockkeeper demo push 1.0.3 --to %s\n", s.world.image())
	forge := strings.ToLower(s.forge())
	s.say("Use the command line on it, from there too, or clone it:\n\n  export LOCKKEEPER_%s_TOKEN=%s LOCKKEEPER_OUTBOUND_ALLOW=%s\n  bin/lockkeeper plan --%s-url %s --project %s\n  git clone %s\n",
		strings.ToUpper(forge), worldToken, strings.Join(worldAllow(), ","), forge, s.world.forgeURL, worldProject, s.world.cloneURL())
	s.say("Press Ctrl-C to end.")
	<-ctx.Done()
	return nil
}

// forge is who the forge is like.
func (s *story) forge() string {
	if s.world.github {
		return "GitHub"
	}
	return "GitLab"
}

// request is what the forge calls a change.
func (s *story) request() string {
	if s.world.github {
		return "pull request"
	}
	return "merge request"
}

// once tells the whole story without a person, and prints the way that the image went.
func (s *story) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	if err := s.until(ctx, "the stages to be adopted", s.allRun("1.0.1")); err != nil {
		return err
	}
	s.say("both stages run 1.0.1")
	if err := pushImage(ctx, s.world.image(), "1.0.2"); err != nil {
		return err
	}
	s.say("image     %s:1.0.2 pushed", s.world.image())
	for told := map[promote.StageRef]bool{}; ; {
		if err := s.until(ctx, "1.0.2 to arrive everywhere", func() bool {
			return s.allRun("1.0.2")() || s.openChange("1.0.2").Number != 0 && s.gatesPass("1.0.2")
		}); err != nil {
			return err
		}
		s.tell(told)
		if s.allRun("1.0.2")() {
			return nil
		}
		change := s.openChange("1.0.2")
		if err := s.person.merge(ctx, change.Number, change.Head); err != nil {
			return err
		}
		if err := s.until(ctx, "the merge to be delivered", func() bool { return s.openChange("1.0.2").Number != change.Number }); err != nil {
			return err
		}
	}
}

// until waits for outcomes until something is so.
func (s *story) until(ctx context.Context, what string, so func() bool) error {
	for !so() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; the last plan was:\n%s", what, ctx.Err(), s.last.Plan)
		case s.last = <-s.outcomes:
		}
	}
	return nil
}

// allRun says whether every stage runs a version.
func (s *story) allRun(version string) func() bool {
	return func() bool {
		for _, stage := range s.last.Plan.Stages {
			if stage.Runs != version {
				return false
			}
		}
		return len(s.last.Plan.Stages) > 0
	}
}

func (s *story) proposed(version string) func() bool {
	return func() bool { return s.openChange(version).Number != 0 }
}

// openChange returns the open change that promotes a version.
func (s *story) openChange(version string) promote.Change {
	for _, stage := range s.last.Plan.Stages {
		if stage.Next != version || stage.Change == 0 {
			continue
		}
		for _, change := range s.last.State.Changes {
			if change.Number == stage.Change && change.State == promote.ChangeOpen {
				return change
			}
		}
	}
	return promote.Change{}
}

func (s *story) gatesPass(version string) bool {
	for _, stage := range s.last.Plan.Stages {
		if stage.Next == version && len(stage.Gates) > 0 {
			return stage.Gates.Verdict() == promote.Pass
		}
	}
	return false
}

// tell prints the way of every promotion that ended and was not told yet.
func (s *story) tell(told map[promote.StageRef]bool) {
	for _, p := range s.last.State.History.Promotions {
		freight, _ := s.last.State.History.Freight(p.Stage.Project, p.Freight)
		if p.Phase != promote.PhaseSucceeded || p.Head == "" || told[p.Stage] {
			continue
		}
		told[p.Stage] = true
		digests := []string{}
		for _, image := range freight.Images {
			digests = append(digests, image.RepoURL+":"+image.Tag+"@"+image.Digest)
		}
		s.say("\n%s", p.Stage)
		s.say("  image          %s", strings.Join(digests, ", "))
		s.say("  freight        %s", freight.ID)
		s.say("  commit         %s", s.world.commitURL(p.Head))
		s.say("  %-14s %s", s.request(), p.URL)
		s.say("  sync           %s", s.world.commitURL(p.Merged))
		for _, result := range p.Results {
			if strings.HasSuffix(result.As, "argocd") || strings.Contains(result.Message, "ealthy") {
				s.say("                 %s", result.Message)
			}
		}
		if v, ok := s.last.State.History.Verified(p.Stage, p.Freight); ok {
			s.say("  verified       %s", v.VerifiedAt.UTC().Format(time.RFC3339))
		}
	}
}
