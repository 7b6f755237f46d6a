package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/bot"
	"github.com/lockkeeper/lockkeeper/internal/argocd"
	"github.com/lockkeeper/lockkeeper/internal/doctor"
	"github.com/lockkeeper/lockkeeper/render"
	renderargocd "github.com/lockkeeper/lockkeeper/render/argocd"
)

// server looks at what all repositories share.
func (c *checkup) server(ctx context.Context) doctor.Section {
	section := doctor.Section{Name: "server", Findings: []doctor.Finding{
		{Verdict: doctor.OK, Check: "configuration", Text: c.path + " can be read"},
		databaseFinding(c.config.Database, bot.CheckDatabase(ctx, c.config.Database)),
	}}
	asked := map[string]bool{}
	for _, repository := range c.config.Repositories {
		by, err := c.caretaker(repository)
		if err != nil {
			continue // its own section says so
		}
		if kind := c.secrets.forgeOf(repository); !asked[kind] {
			asked[kind] = true
			c.progress.step("asking %s", kind)
			section.Findings = append(section.Findings, by.instance(ctx).Findings()...)
		}
	}
	c.progress.step("asking Argo CD")
	answered := c.argoCD(ctx)
	c.answers = answered.Err == nil && answered.UserErr == nil
	section.Findings = append(section.Findings, answered.Findings()...)
	return section
}

func databaseFinding(path string, err error) doctor.Finding {
	f := doctor.Finding{Check: "database", Text: path + " can be used"}
	switch {
	case errors.Is(err, bot.ErrInUse):
		f.Text = path + " is in use by a server that runs"
	case err != nil:
		f = doctor.Finding{Verdict: doctor.Failure, Check: "database", Text: fmt.Sprintf("%s: %v", path, err), Remedy: "set database to a file that the server may write"}
	}
	return f
}

// client is that of Argo CD; nil without a server.
func (c *checkup) client() *argocd.Client {
	if deliverer, ok := c.argo.(*deliverer); ok {
		return deliverer.client
	}
	return nil
}

func (c *checkup) argoCD(ctx context.Context) doctor.ArgoCD {
	client := c.client()
	if client == nil {
		return doctor.ArgoCD{}
	}
	facts := doctor.ArgoCD{URL: c.config.ArgoCD.URL}
	if facts.URL == "" {
		facts.URL = c.secrets.ArgoCDURL
	}
	if facts.Version, facts.Err = client.Version(ctx); facts.Err == nil {
		facts.User, facts.UserErr = client.User(ctx)
	}
	return facts
}

// maxApplications is how many applications are asked about: two requests each.
const maxApplications = 200

// applications asks what the token may do to the applications that say that a stage may touch them.
func (c *checkup) applications(ctx context.Context, set render.Set) []doctor.Finding {
	client := c.client()
	switch {
	case client == nil:
		return nil
	case !c.answers:
		return []doctor.Finding{{Verdict: doctor.Skipped, Check: "applications", Text: "Argo CD could not be asked"}}
	}
	named := slices.DeleteFunc(slices.Clone(set.Applications), func(app renderargocd.Application) bool {
		return app.Annotations["kargo.akuity.io/authorized-stage"] == ""
	})
	named = named[:min(len(named), maxApplications)]
	facts := make([]doctor.Application, len(named))
	var asking errgroup.Group
	asking.SetLimit(lookers)
	for i, app := range named {
		asking.Go(func() error {
			facts[i] = mayTouch(ctx, client, app)
			return nil
		})
	}
	_ = asking.Wait() // none of them fails
	return doctor.Applications(facts)
}

func mayTouch(ctx context.Context, client *argocd.Client, app renderargocd.Application) doctor.Application {
	facts := doctor.Application{Name: app.Name, Project: app.Project, AutoSync: app.SyncPolicy.Automated}
	ref := argocd.Ref{Name: app.Name, Namespace: app.Namespace, Project: app.Project}
	if facts.Get, facts.Err = client.May(ctx, "get", ref); facts.Err == nil {
		facts.Sync, facts.Err = client.May(ctx, "sync", ref)
	}
	return facts
}
