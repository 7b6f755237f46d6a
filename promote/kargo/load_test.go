package kargo_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/manifest"
	"github.com/lockkeeper/lockkeeper/internal/manifest/manifesttest"
	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/kargo"
)

var update = flag.Bool("update", false, "rewrite the wanted results in testdata")

func TestLoadGolden(t *testing.T) {
	manifesttest.Golden(t, *update, func(docs []manifest.Document) string { return dump(kargo.Load(docs)) })
}

// dump writes pipelines and findings for people to compare.
func dump(pipelines []promote.Pipeline, findings []promote.Finding) string {
	var b strings.Builder
	for _, p := range pipelines {
		fmt.Fprintf(&b, "project %s declared=%v %s\n", p.Project, p.Declared, p.Position)
		for _, w := range p.Warehouses {
			printWarehouse(&b, w)
		}
		for _, s := range p.Stages {
			printStage(&b, s)
		}
		for _, policy := range p.Policies {
			fmt.Fprintf(&b, "  policy %s auto=%v %s%s\n", policy.Stage, policy.AutoPromotion, policy.Position, printRollback(policy.AutoRollback))
		}
	}
	for _, f := range findings {
		b.WriteString(finding(f) + "\n")
	}
	return b.String()
}

func printWarehouse(b *strings.Builder, w promote.Warehouse) {
	fmt.Fprintf(b, "  warehouse %s every %s manual=%v criteria=%q %s\n", w.Name, w.Interval, w.Manual, w.Criteria, w.Position)
	for _, s := range w.Images {
		fmt.Fprintf(b, "    image %q %s %s constraint=%q strict=%v allow=%q ignore=%q platform=%q limit=%d cacheByTag=%v skipTLS=%v %s\n",
			s.Name, s.RepoURL, s.Strategy, s.Constraint, s.StrictSemvers, s.Allow, s.Ignore, s.Platform, s.DiscoveryLimit, s.CacheByTag, s.SkipTLSVerify, s.Position)
	}
	for _, s := range w.Git {
		fmt.Fprintf(b, "    git %q %s %s branch=%q constraint=%q strict=%v allow=%q ignore=%q filter=%q include=%q exclude=%q since=%s limit=%d skipTLS=%v %s\n",
			s.Name, s.RepoURL, s.Strategy, s.Branch, s.Constraint, s.StrictSemvers, s.Allow, s.Ignore, s.Filter, s.Include, s.Exclude,
			s.Since.Format(time.RFC3339), s.DiscoveryLimit, s.SkipTLSVerify, s.Position)
	}
	for _, s := range w.Charts {
		fmt.Fprintf(b, "    chart %q %s %q constraint=%q limit=%d skipTLS=%v %s\n",
			s.Name, s.RepoURL, s.Chart, s.Constraint, s.DiscoveryLimit, s.SkipTLSVerify, s.Position)
	}
}

func printStage(b *strings.Builder, s promote.Stage) {
	fmt.Fprintf(b, "  stage %s %s\n", s.Name, s.Position)
	if len(s.Labels) > 0 {
		fmt.Fprintf(b, "    labels %v\n", s.Labels)
	}
	for _, r := range s.Requests {
		fmt.Fprintf(b, "    request %s direct=%v stages=%q all=%v soak=%s", r.Warehouse, r.Direct, r.Stages, r.All, r.RequiredSoak)
		if r.MatchUpstream {
			b.WriteString(" match-upstream")
		}
		fmt.Fprintf(b, " %s\n", r.Position)
	}
	for _, v := range s.Vars {
		fmt.Fprintf(b, "    var %s=%q\n", v.Name, v.Value)
	}
	printSteps(b, "step", s.Steps)
	printSteps(b, "verify", s.Verify)
}

func printRollback(r promote.AutoRollback) string {
	if r == (promote.AutoRollback{}) {
		return ""
	}
	return fmt.Sprintf(" rollback=%+v", r)
}

func printSteps(b *strings.Builder, what string, steps []promote.Step) {
	for _, one := range steps {
		fmt.Fprintf(b, "    %s %s uses %s %s", what, one.As, one.Uses, one.Position)
		if one.If != "" || one.ContinueOnError || one.Timeout != 0 || one.ErrorThreshold != 0 {
			timeout, _ := one.Timeout.MarshalText()
			fmt.Fprintf(b, " if=%q continue=%v timeout=%s threshold=%d", one.If, one.ContinueOnError, timeout, one.ErrorThreshold)
		}
		b.WriteString("\n")
		for _, v := range one.Vars {
			fmt.Fprintf(b, "      var %s=%q\n", v.Name, v.Value)
		}
		if one.Config != nil {
			fmt.Fprintf(b, "      config %s\n", one.Config)
		}
	}
}

// finding prints a finding with whom it concerns.
func finding(f promote.Finding) string {
	switch {
	case f.Stage != promote.StageRef{}:
		return f.String() + " stage=" + f.Stage.String()
	case f.Project != "":
		return f.String() + " project=" + f.Project
	}
	return f.String()
}
