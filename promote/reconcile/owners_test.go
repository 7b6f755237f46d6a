package reconcile

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/codeowners"
)

func treeOf(names ...string) fstest.MapFS {
	tree := fstest.MapFS{}
	for _, name := range names {
		tree[name] = &fstest.MapFile{Data: []byte("* @" + name[:1] + "\n")}
	}
	return tree
}

func TestWhereOwnersAreRead(t *testing.T) {
	for _, row := range []struct {
		name    string
		dialect codeowners.Dialect
		tree    fstest.MapFS
		want    string
	}{
		{"GitHub's own folder first", codeowners.GitHub, treeOf("CODEOWNERS", "docs/CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS"), ".github/CODEOWNERS"},
		{"then the root", codeowners.GitHub, treeOf("CODEOWNERS", "docs/CODEOWNERS"), "CODEOWNERS"},
		{"GitLab begins at the root", codeowners.GitLab, treeOf("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"), "CODEOWNERS"},
		{"and ends in its own folder", codeowners.GitLab, treeOf(".github/CODEOWNERS", ".gitlab/CODEOWNERS"), ".gitlab/CODEOWNERS"},
		{"nowhere", codeowners.GitLab, treeOf(".github/CODEOWNERS"), ""},
	} {
		if _, path, err := readOwners(row.tree, row.dialect); path != row.want || err != nil {
			t.Errorf("%s: %q, %v", row.name, path, err)
		}
	}
	for want, tree := range map[codeowners.Dialect]fstest.MapFS{codeowners.GitHub: treeOf(".github/CODEOWNERS"), codeowners.GitLab: treeOf(".github/x", ".gitlab-ci.yml")} {
		if got := likelyDialect(tree); got != want {
			t.Errorf("dialect %d, want %d", got, want)
		}
	}
}

func TestWhatOwnersDoNotSay(t *testing.T) {
	settings, _ := settingsOf(t, "commands:\n- {verbs: [promote]}\n- codeowners: true\n")
	for _, row := range []struct {
		name string
		tree fstest.MapFS
		want []string
	}{
		{"no file", fstest.MapFS{}, []string{
			"lockkeeper.yaml:3:15: warning: commands[1].codeowners: there is no CODEOWNERS file, so that nobody owns anything; add one of CODEOWNERS, docs/CODEOWNERS, .gitlab/CODEOWNERS [code-owners]",
		}},
		{"addresses, roles and what is none", fstest.MapFS{"CODEOWNERS": {Data: []byte("* a@example.com nobody\n*.md @@maintainer @ann\n")}}, []string{
			`CODEOWNERS:1: warning: "nobody" is no owner; write @name, @group/name or an e-mail address [code-owners]`,
			`CODEOWNERS:1: warning: "a@example.com" is an e-mail address, which cannot be matched to an account; name the account, to let it command as an owner [code-owners]`,
			`CODEOWNERS:2: warning: "@@maintainer" is a role, which cannot be told from higher ones; name a group, to let its members command as owners [code-owners]`,
		}},
		{"a file that is too large", fstest.MapFS{"CODEOWNERS": {Data: make([]byte, codeowners.MaxFileSize+1)}}, []string{
			"CODEOWNERS: warning: the owners of files cannot be read: the file has 3145729 bytes, more than the 3145728 that are read; correct it; until then nobody owns anything [code-owners]",
		}},
	} {
		var got []string
		for _, f := range settings.ownerFindings(row.tree) {
			got = append(got, f.String())
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
	without, _ := settingsOf(t, "commands: [{users: [ann]}]\n")
	if findings := without.ownerFindings(fstest.MapFS{}); len(findings) != 0 {
		t.Errorf("nobody asks for owners: %v", findings)
	}
}
