package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lockkeeper/lockkeeper/internal/nearest"
)

// onlyFlags is for commands that take no arguments: it says with which flags the words were probably meant, one for each in
// this order.
func onlyFlags(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, words []string) error {
		if len(words) == 0 {
			return nil
		}
		remedy := "write its flags with -- before them"
		var instead []string
		for i, word := range words[:min(len(words), len(names))] {
			instead = append(instead, "--"+names[i], shown(word))
		}
		if len(instead) > 0 {
			remedy = "write " + strings.Join(instead, " ")
		}
		return fmt.Errorf("%q takes no argument %q: %s", cmd.CommandPath(), words[0], remedy)
	}
}

// oneWord is for commands that take one argument: it says what is missing, and how it is written.
func oneWord(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, words []string) error {
		example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
		switch {
		case len(words) == 0:
			return fmt.Errorf("%q takes %s: write it as in %s", cmd.CommandPath(), what, example)
		case len(words) > 1:
			return fmt.Errorf("%q takes one argument, and no %q: write it as in %s", cmd.CommandPath(), words[1], example)
		}
		return nil
	}
}

// wrongFlag says what the flag was most likely meant to be, and where all of them are.
func wrongFlag(cmd *cobra.Command, err error) error {
	wrong, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	if near := nearest.Of(wrong.GetSpecifiedName(), names); near != "" {
		return fmt.Errorf("%w: did you mean --%s?", err, near)
	}
	return fmt.Errorf("%w: %q lists those that there are", err, cmd.CommandPath()+" --help")
}

// orCommand is for commands that do what a comment says: a word with a slash was meant as one.
func orCommand(project cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, words []string) error {
		if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
			return project(cmd, words)
		}
		return fmt.Errorf("%q takes no argument %q: write --command %s", cmd.CommandPath(), words[0], shown(strings.Join(words, " ")))
	}
}

// shown is a word as a shell takes it, and as a terminal may show it.
func shown(word string) string {
	if strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("./~^@_:-", r)
	}) {
		return strconv.Quote(word)
	}
	return word
}

// versionLine is what --version prints.
func versionLine() string { return "lockkeeper version " + version + "\n" }

func newVersion(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, as --version does",
		Args:  onlyFlags(),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(env.out, versionLine())
			return err
		},
	}
}
