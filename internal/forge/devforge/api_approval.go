package devforge

import (
	"net/http"
	"slices"
)

type approverEntity struct {
	User       *userEntity `json:"user"`
	ApprovedAt *moment     `json:"approved_at,omitempty"`
}

type approvalsEntity struct {
	UserHasApproved bool             `json:"user_has_approved"`
	UserCanApprove  bool             `json:"user_can_approve"`
	Approved        bool             `json:"approved"`
	ApprovedBy      []approverEntity `json:"approved_by"`
}

func getApprovals(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	entity := approvalsEntity{
		UserHasApproved: slices.Contains(m.Approvers, c.user.ID),
		UserCanApprove:  c.project.level(c.user) >= AccessDeveloper && !slices.Contains(m.Approvers, c.user.ID),
		Approved:        true, // no approval is required on the free tier
		ApprovedBy:      []approverEntity{},
	}
	for i, id := range m.Approvers {
		shown := approverEntity{User: c.forge.showUserID(id)}
		if !c.project.Settings.NoApprovalTimes && i < len(m.ApprovedAt) {
			shown.ApprovedAt = new(moment(m.ApprovedAt[i]))
		}
		entity.ApprovedBy = append(entity.ApprovedBy, shown)
	}
	return reply{body: entity}, nil
}

func approve(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	sha, err := c.params.text("sha")
	if err != nil {
		return reply{}, err
	}
	if sha != "" && sha != m.SHA {
		return reply{}, refuse(http.StatusConflict, "SHA does not match HEAD of source branch: "+m.SHA)
	}
	if c.project.level(c.user) < AccessDeveloper || slices.Contains(m.Approvers, c.user.ID) {
		return reply{}, unauthorized()
	}
	if err := c.forge.approve(c.Context(), c.project, m, c.user); err != nil {
		return reply{}, err
	}
	answer, err := getApprovals(c)
	answer.status = http.StatusCreated
	return answer, err
}

func unapprove(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	i := slices.Index(m.Approvers, c.user.ID)
	if i < 0 {
		return reply{}, missing("")
	}
	m.Approvers = slices.Delete(m.Approvers, i, i+1)
	if i < len(m.ApprovedAt) {
		m.ApprovedAt = slices.Delete(m.ApprovedAt, i, i+1)
	}
	c.forge.addSystemNote(m, c.user, "unapproved this merge request")
	c.forge.wrote()
	if err := c.forge.sendRequest(c.Context(), c.project, m, requestEvent{action: "unapproved", by: c.user}); err != nil {
		return reply{}, err
	}
	answer, err := getApprovals(c)
	answer.status = http.StatusCreated
	return answer, err
}

type versionShown struct {
	ID        int    `json:"id"`
	Head      string `json:"head_commit_sha"`
	Base      string `json:"base_commit_sha"`
	Start     string `json:"start_commit_sha"`
	CreatedAt moment `json:"created_at"`
	Request   int    `json:"merge_request_id"`
	State     string `json:"state"`
	RealSize  string `json:"real_size"`
}

// listVersions lists what a merge request became by each push, newest first (doc/api/merge_requests.md, "Get merge request diff
// versions").
func listVersions(c *call) (reply, error) {
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	versions := slices.Clone(m.Versions)
	slices.Reverse(versions)
	return shown(c, versions, func(v pushedVersion) (versionShown, error) {
		return versionShown{
			ID: v.ID, Head: v.Head, Base: v.Base, Start: v.Start, CreatedAt: moment(v.CreatedAt), Request: m.ID, State: "collected", RealSize: "1",
		}, nil
	})
}

type approvalSettingsEntity struct {
	ResetOnPush bool `json:"reset_approvals_on_push"`
}

// getApprovalSettings is what only some plans have (doc/user/project/merge_requests/approvals/settings.md).
func getApprovalSettings(c *call) (reply, error) {
	if c.project.Settings.NoApprovalSettings {
		return reply{}, missing("")
	}
	return reply{body: approvalSettingsEntity{ResetOnPush: !c.project.Settings.KeepApprovals}}, nil
}

func updateApprovalSettings(c *call) (reply, error) {
	if c.project.Settings.NoApprovalSettings {
		return reply{}, missing("")
	}
	if c.params.has("reset_approvals_on_push") {
		reset, err := c.params.boolean("reset_approvals_on_push")
		if err != nil {
			return reply{}, err
		}
		c.project.Settings.KeepApprovals = !reset
		c.forge.wrote()
	}
	answer, err := getApprovalSettings(c)
	answer.status = http.StatusCreated
	return answer, err
}
