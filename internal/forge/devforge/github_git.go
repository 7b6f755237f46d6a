package devforge

import (
	"context"
	"strings"
)

// githubMayUseGit: a token is the password, whatever the user name. An installation needs the permission for contents.
func (f *Forge) githubMayUseGit(p *project, u *User, password string, write bool) bool {
	if t := f.appToken(password); t != nil {
		grant := "contents:read"
		if write {
			grant = "contents:write"
		}
		return t.reaches(f, p) && t.may(grant)
	}
	if write {
		return p.level(u) >= AccessDeveloper
	}
	return p.githubLevel(u) > 0
}

// githubRefusesPush is what GitHub's pre-receive hook would say, or empty. Rules of a branch bind a direct push as well: it has
// no review, and its commit no status yet, unless the status was reported before.
func (p *project) githubRefusesPush(f *Forge, u *User, commands pushCommands) string {
	for _, command := range commands.list {
		branch, isBranch := strings.CutPrefix(command.ref, headsPrefix)
		switch {
		case strings.HasPrefix(command.ref, p.repo.kept):
			return "deny updating a hidden ref"
		case strings.HasPrefix(branch, "gh-readonly-queue/"):
			return "error: GH013: Repository rule violations found for " + command.ref + "."
		case isBranch && !p.mayPush(u, branch):
			return "error: GH006: Protected branch update failed for " + command.ref + "."
		case isBranch && len(p.ruled(branch)) > 0 && command.to == zeroID:
			return "error: GH006: Protected branch update failed for " + command.ref + ".\nerror: Cannot delete this protected branch"
		case isBranch && (p.level(u) < AccessOwner || p.bindsAdmins(branch)):
			if reason := f.directly(p, branch, command.to); reason != "" {
				return "error: GH006: Protected branch update failed for " + command.ref + ".\nerror: " + reason
			}
		}
	}
	return ""
}

func (f *Forge) directly(p *project, branch, sha string) string {
	for _, rules := range p.ruled(branch) {
		if rules.Approvals > 0 || rules.Queue {
			return "Changes must be made through a pull request."
		}
	}
	return f.unmet(p, sha, branch)
}

// afterPush announces a push and does what it has made possible.
func (f *Forge) afterPush(ctx context.Context, p *project, u *User) error {
	if err := f.announce(ctx, p, u); err != nil || f.config.Dialect != GitHub {
		return err
	}
	return f.progress(ctx, p)
}
