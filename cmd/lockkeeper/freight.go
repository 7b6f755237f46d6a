package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/promote"
	"github.com/lockkeeper/lockkeeper/promote/reconcile"
)

func newFreight(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "freight",
		Short: "Put freight together by hand, and see what became of it",
		Long: `Freight is a set of versions that travel together through the stages. The warehouses make it by themselves, unless their
freightCreationPolicy is Manual; a person may put any versions together that exist.

` + variablesHelp(),
		Example: `  lockkeeper freight list --project group/repository
  lockkeeper freight show brave-otter --project group/repository`,
		Args:               cobra.ArbitraryArgs,
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true}, // the command that was meant may have them
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) == 0 {
				return cmd.Help()
			}
			return noCommand(cmd, words[0])
		},
	}
	cmd.AddCommand(newFreightCreate(env), newFreightList(env), newFreightShow(env))
	return cmd
}

// noCommand says which command may be meant by a word that is none.
func noCommand(cmd *cobra.Command, word string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	if near, ok := promote.Nearest(word, names); ok {
		return fmt.Errorf("there is no command \"%s %s\"; did you mean \"%s %s\"?", cmd.Name(), word, cmd.Name(), near)
	}
	return fmt.Errorf("there is no command \"%s %s\"; there is %s", cmd.Name(), word, strings.Join(names, ", "))
}

func newFreightCreate(env environment) *cobra.Command {
	var t target
	var request reconcile.Handmade
	var images, commits, charts []string
	var output string
	cmd := &cobra.Command{
		Use:   "create --warehouse NAME",
		Short: "Put freight together by hand: versions that exist, one of each subscription",
		Long: `Create records freight of versions that you choose. It has exactly one artifact of each subscription of the warehouse: what you
do not name is the newest that the warehouse finds now. What you name has to exist, and need not be what the warehouse would
take. It is promoted as any other freight: by a policy, or when a person asks.

A source is written as the subscription does, or by the subscription's name.

Exit codes:
  0  the freight is recorded, or was already
  1  something that was named does not exist, or the freight could not be recorded`,
		Example: `  lockkeeper freight create --warehouse frontend-dev-image --project group/repository     # the newest of everything
  lockkeeper freight create --warehouse frontend-dev-image --image docker.io/your-name/your-app=1.0.0
  lockkeeper freight create --warehouse develop/all --image app=1.0.0 --chart oci://ghcr.io/your-name/chart=2.1.0 --alias friday
  lockkeeper freight create --warehouse develop/all --commit https://gitlab.com/your-name/config.git=v3`,
		Args: onlyFlags(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if request.Images, err = choices("--image", images); err != nil {
				return err
			}
			if request.Commits, err = choices("--commit", commits); err != nil {
				return err
			}
			if request.Charts, err = choices("--chart", charts); err != nil {
				return err
			}
			return createFreight(cmd.Context(), env, t, request, output)
		},
	}
	t.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&request.Warehouse, "warehouse", "", "the warehouse, as name or project/name (required)")
	flags.StringArrayVar(&images, "image", nil, "an image, as REPOSITORY=TAG")
	flags.StringArrayVar(&commits, "commit", nil, "a commit, as REPOSITORY=ID or REPOSITORY=TAG")
	flags.StringArrayVar(&charts, "chart", nil, "a chart, as REPOSITORY/NAME=VERSION, or oci://REPOSITORY=VERSION")
	flags.StringVar(&request.Alias, "alias", "", "a name for people, free in the project (default: one is made)")
	flags.StringVar(&request.By, "by", "", "who puts it together (default: $GITLAB_USER_LOGIN, else $GITHUB_ACTOR, else $USER)")
	flags.StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// choices reads "SOURCE=VERSION".
func choices(flag string, words []string) ([]reconcile.Choice, error) {
	var out []reconcile.Choice
	for _, word := range words {
		i := strings.LastIndexByte(word, '=')
		if i < 1 || i == len(word)-1 {
			return nil, fmt.Errorf("%s is %q: expected SOURCE=VERSION", flag, word)
		}
		out = append(out, reconcile.Choice{Source: word[:i], Version: word[i+1:]})
	}
	return out, nil
}

func createFreight(ctx context.Context, env environment, t target, request reconcile.Handmade, output string) error {
	by := cmp.Or(request.By, env.getenv("GITLAB_USER_LOGIN"), env.getenv("GITHUB_ACTOR"), env.getenv("USER"))
	request.By = strings.Join(strings.Fields(by), " ")
	switch {
	case request.Warehouse == "":
		return errors.New("no warehouse: name one with --warehouse")
	case request.By == "":
		return errors.New("nobody puts it together: say who with --by")
	}
	if err := checkOutput(output, "text", "json"); err != nil {
		return err
	}
	runner, err := t.runner(env)
	if err != nil {
		return err
	}
	made, err := runner.CreateFreight(ctx, request)
	if err != nil {
		return err
	}
	if output == "json" {
		return printJSON(env.out, made)
	}
	return printMade(env.out, made, request.Alias)
}

func printMade(w io.Writer, made reconcile.Made, wanted string) error {
	var b strings.Builder
	if made.Known {
		fmt.Fprintf(&b, "nothing to do: the freight exists since %s\n", stamp(made.DiscoveredAt))
		if wanted != "" && wanted != made.Alias {
			fmt.Fprintf(&b, "it keeps its alias %s\n", cmp.Or(made.Alias, "(none)"))
		}
	}
	b.WriteString(freightText(made.Whereabouts))
	_, err := io.WriteString(w, b.String())
	return err
}

func newFreightList(env environment) *cobra.Command {
	var t target
	var warehouse, output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the freight: what it holds, where it runs and is verified, and whether it was rejected",
		Example: `  lockkeeper freight list --project group/repository
  lockkeeper freight list --warehouse develop/frontend-dev-image --output json`,
		Args: onlyFlags(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			all, err := freights(cmd.Context(), env, t, warehouse)
			if err != nil {
				return err
			}
			if output == "json" {
				return printJSON(env.out, all)
			}
			return printFreights(env.out, all)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVar(&warehouse, "warehouse", "", "only that of this warehouse, as name or project/name")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func newFreightShow(env environment) *cobra.Command {
	var t target
	var output string
	cmd := &cobra.Command{
		Use:   "show FREIGHT",
		Short: "Show one freight, by the beginning of its ID, its alias or a version",
		Example: `  lockkeeper freight show brave-otter --project group/repository
  lockkeeper freight show 1.0.2 --output json`,
		Args: oneWord("the beginning of an ID, an alias or a version"),
		RunE: func(cmd *cobra.Command, words []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			all, err := freights(cmd.Context(), env, t, "")
			if err != nil {
				return err
			}
			freight, err := reconcile.FindFreight(all, words[0])
			if err != nil {
				return err
			}
			if output == "json" {
				return printJSON(env.out, freight)
			}
			_, err = io.WriteString(env.out, freightText(freight))
			return err
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func freights(ctx context.Context, env environment, t target, warehouse string) ([]promote.Whereabouts, error) {
	runner, err := t.runner(env)
	if err != nil {
		return nil, err
	}
	return runner.Freights(ctx, warehouse)
}

func printFreights(w io.Writer, all []promote.Whereabouts) error {
	if len(all) == 0 {
		_, err := io.WriteString(w, "there is no freight yet\n")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := [][]string{{"FREIGHT", "ALIAS", "VERSIONS", "WAREHOUSE", "DISCOVERED", "RUNS IN", "VERIFIED IN", "REJECTED BY"}}
	for _, f := range all {
		rejected := ""
		if f.Rejected != nil {
			rejected = f.Rejected.By
		}
		rows = append(rows, []string{
			f.ID.Short(), f.Alias, f.Label(), f.Project + "/" + f.Warehouse, stamp(f.DiscoveredAt), stageNames(f.Runs), stageNames(f.Verified), rejected,
		})
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = visible(cmp.Or(cell, "-"))
		}
		if _, err := fmt.Fprintln(table, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return table.Flush()
}

// freightText is everything that a person may want to know of a freight.
func freightText(f promote.Whereabouts) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", name, visible(fmt.Sprintf(format, args...)))
	}
	line("freight", "%s", f.ID)
	line("alias", "%s", cmp.Or(f.Alias, "-"))
	line("versions", "%s", f.Label())
	line("warehouse", "%s/%s", f.Project, f.Warehouse)
	for _, image := range f.Images {
		line("image", "%s:%s@%s", image.RepoURL, image.Tag, image.Digest)
	}
	for _, chart := range f.Charts {
		line("chart", "%s %s", strings.TrimSpace(chart.RepoURL+" "+chart.Name), chart.Version)
	}
	for _, commit := range f.Commits {
		line("commit", "%s %s", commit.RepoURL, strings.TrimSpace(string(commit.ID)+" "+commit.Tag))
	}
	line("discovered", "%s", stamp(f.DiscoveredAt))
	if f.CreatedBy != "" {
		line("created by", "%s", f.CreatedBy)
	}
	line("runs in", "%s", cmp.Or(stageNames(f.Runs), "-"))
	line("verified in", "%s", cmp.Or(stageNames(f.Verified), "-"))
	if r := f.Rejected; r != nil {
		line("rejected", "by %s at %s: %s", r.By, stamp(r.At), cmp.Or(r.Reason, "no reason was given"))
	}
	for i, onward := range f.Onward {
		if i == 0 {
			b.WriteString("promote it with a comment on a merge request:\n")
		}
		fmt.Fprintf(&b, "  %s\n", visible(onward.Command))
	}
	return b.String()
}

func stageNames(stages []promote.StageRef) string {
	names := make([]string, len(stages))
	for i, stage := range stages {
		names[i] = stage.Name
	}
	return strings.Join(names, ", ")
}

// stamp writes a time for people, to the second.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }
