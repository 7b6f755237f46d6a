package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/ci"
	"github.com/lockkeeper/lockkeeper/internal/doctor"
)

func newSetup(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Register the webhook and set the protections of a repository",
		Long: `Setup does on a forge what an installation needs: it registers the webhook, makes the status of the gates block merging, protects
the branch of the ledger, and prints the server's configuration. What is there already stays; running it twice changes nothing
the second time.`,
		Example: `  lockkeeper setup gitlab --project group/repository --url https://lockkeeper.example.com --dry-run
  lockkeeper setup github --app --url https://lockkeeper.example.com --organization acme
  lockkeeper setup github --repository acme/gitops --url https://lockkeeper.example.com --dry-run`,
		Args: onlyFlags(),
	}
	cmd.AddCommand(newSetupGitLab(env), newSetupGitHub(env))
	return cmd
}

// setupFlags are what setting up takes on every forge.
type setupFlags struct {
	public    string
	noProtect bool
	dry       bool
}

// secret is the variable that holds the webhook's secret. It is shown when it was made just now, never otherwise; of a dry run it is
// not kept.
func (f *setupFlags) secret(name, made string, known bool, hook doctor.Webhook) variable {
	switch {
	case hook.Err != nil && !known:
		return variable{name, "the secret of the webhook, which could not be looked at: make one with openssl rand -hex 32 where it has none"}
	case made != "" && f.dry:
		return variable{name, "a secret would be made, and shown here once"}
	case made != "":
		return variable{name, made + "   (shown this once)"}
	case !known:
		return variable{name, "the secret that the webhook has; if it is lost, set another one and run this again after a delivery was refused"}
	}
	return variable{name, "as it is now"}
}

func (f *setupFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.public, "url", "", "where the forge reaches the server, such as https://lockkeeper.example.com (required)")
	cmd.Flags().BoolVar(&f.noProtect, "no-protect", false, "leave protections and merge settings as they are")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "print what would be done, and do nothing")
}

func (f *setupFlags) check() error {
	if f.public == "" {
		return errors.New("--url is missing: where the forge reaches the server, such as https://lockkeeper.example.com")
	}
	if err := checkURL(f.public); err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	return nil
}

// newSecret makes a webhook's secret.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// install makes the changes that findings ask for, and says of each what became of it. done is false when one could not be made.
func (f *setupFlags) install(ctx context.Context, w io.Writer, by caretaker, findings []doctor.Finding) (done bool, err error) {
	free, err := f.hindrances(w, findings)
	if err != nil {
		return false, err
	}
	var b strings.Builder
	fixes := slices.DeleteFunc(doctor.Fixes(findings), func(fix doctor.Fix) bool { return f.noProtect && protects(fix) })
	done = free
	for _, fix := range fixes {
		switch {
		case f.dry:
			fmt.Fprintf(&b, "would  %s\n", fix)
		default:
			if err := by.apply(ctx, fix); err != nil {
				done = false
				fmt.Fprintf(&b, "failed %s: %s\n", fix, sentence(err.Error()))
				fmt.Fprintf(&b, "       → %s\n", sentence(remedyOf(findings, fix)))
				continue
			}
			fmt.Fprintf(&b, "done   %s\n", fix)
		}
	}
	if len(fixes) == 0 && free {
		b.WriteString("Nothing to change: it is set up.\n")
	}
	_, err = io.WriteString(w, b.String())
	return done, err
}

func protects(fix doctor.Fix) bool {
	return fix.Kind == doctor.FixPipelines || fix.Kind == doctor.FixLedger || fix.Kind == doctor.FixRequirement
}

func remedyOf(findings []doctor.Finding, fix doctor.Fix) string {
	i := slices.IndexFunc(findings, func(f doctor.Finding) bool { return f.Fix == fix })
	return findings[i].Remedy
}

// hindrances writes what keeps from setting up and no call of ours puts right. Of other things setup says nothing: the doctor does.
func (f *setupFlags) hindrances(w io.Writer, findings []doctor.Finding) (free bool, err error) {
	var b strings.Builder
	free = true
	for _, found := range findings {
		if !f.hinders(found) {
			continue
		}
		free = false
		fmt.Fprintf(&b, "%-6s %s: %s\n", found.Verdict, found.Check, sentence(found.Text))
		if found.Remedy != "" {
			fmt.Fprintf(&b, "       → %s\n", sentence(found.Remedy))
		}
	}
	_, err = io.WriteString(w, b.String())
	return free, err
}

func (f *setupFlags) hinders(found doctor.Finding) bool {
	if found.Fix.Kind != doctor.FixNothing || found.Verdict != doctor.Failure && found.Verdict != doctor.Skipped {
		return false
	}
	switch found.Check {
	case "webhook":
		return true
	case "branches", "gates", "ledger":
		return !f.noProtect
	case "token", "scopes", "permissions", "role", "project", "repository":
		return found.Verdict == doctor.Failure
	}
	return false
}

// unseen reports whether nothing was set up because the credentials cannot be used on the repository at all.
func unseen(findings []doctor.Finding) bool {
	return slices.ContainsFunc(findings, func(f doctor.Finding) bool { return f.Verdict == doctor.Failure && f.Check == "token" })
}

// settled ends a command that set something up.
func settled(done bool) error {
	if done {
		return nil
	}
	return &exitError{code: ci.ExitFailed}
}

// next is what is left to a person: the file to write, the variables to set, the commands to run.
type next struct {
	config    string
	variables []variable // with their values or meanings; those of Argo CD follow
}

func (n next) print(w io.Writer) error {
	var b strings.Builder
	b.WriteString("\nWrite lockkeeper-server.yaml:\n\n")
	for line := range strings.Lines(n.config) {
		b.WriteString("  " + line)
	}
	b.WriteString("\nSet in the environment of the server:\n\n")
	for _, v := range append(n.variables, variable{"LOCKKEEPER_ARGOCD_URL", "Argo CD's address, and"},
		variable{"LOCKKEEPER_ARGOCD_TOKEN", "a token that may get and sync the applications; without both, promotions wait after their merge"}) {
		fmt.Fprintf(&b, "  %-33s %s\n", v.name, v.meaning)
	}
	b.WriteString("\nThen:\n\n  lockkeeper serve --config lockkeeper-server.yaml\n  lockkeeper doctor --config lockkeeper-server.yaml\n")
	_, err := io.WriteString(w, b.String())
	return err
}
