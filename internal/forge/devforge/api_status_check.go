package devforge

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// statusCheck is an external status check (doc/api/status_checks.md). Others answer it for the head of a merge request.
type statusCheck struct {
	ID      int              `json:"id"`
	Name    string           `json:"name"`
	URL     string           `json:"external_url"`
	Rules   []int            `json:"protected_branch_ids"` // the rules that it is for; none: every branch
	Answers []*statusVerdict `json:"answers"`
}

type statusVerdict struct {
	ID      int    `json:"id"`
	Request int    `json:"merge_request"`
	SHA     string `json:"sha"`
	Status  string `json:"status"`
}

// unchecked reports whether a status check has not passed for the head; the last answer counts.
func (p *project) unchecked(m *mergeRequest) bool {
	return slices.ContainsFunc(p.checksOf(m), func(s *statusCheck) bool { return s.says(m) != "passed" })
}

// checksOf are the status checks that are for the target of a merge request (ee/app/models/merge_requests/external_status_check.rb,
// applicable_to_branch).
func (p *project) checksOf(m *mergeRequest) []*statusCheck {
	return slices.DeleteFunc(slices.Clone(p.StatusChecks), func(s *statusCheck) bool {
		return len(s.Rules) > 0 && !slices.Contains(s.Rules, p.Protected[m.Target].ID)
	})
}

// says is the last answer for the head, or that none was given.
func (s *statusCheck) says(m *mergeRequest) string {
	for _, answer := range slices.Backward(s.Answers) {
		if answer.Request == m.IID && answer.SHA == m.SHA {
			return answer.Status
		}
	}
	return "pending"
}

type statusCheckEntity struct {
	ID                int               `json:"id"`
	Name              string            `json:"name"`
	ProjectID         int               `json:"project_id"`
	ExternalURL       string            `json:"external_url"`
	ProtectedBranches []protectedEntity `json:"protected_branches"`
	HMAC              bool              `json:"hmac"`
}

func (c *call) showStatusCheck(s *statusCheck) statusCheckEntity {
	shown := statusCheckEntity{ID: s.ID, Name: s.Name, ProjectID: c.project.ID, ExternalURL: s.URL, ProtectedBranches: []protectedEntity{}}
	for _, name := range slices.Sorted(maps.Keys(c.project.Protected)) {
		if guard := c.project.Protected[name]; slices.Contains(s.Rules, guard.ID) {
			shown.ProtectedBranches = append(shown.ProtectedBranches, showProtected(name, guard))
		}
	}
	return shown
}

// statusChecks refuses what the plan does not have, as ee/lib/api/status_checks.rb does.
func (c *call) statusChecks() ([]*statusCheck, error) {
	if !c.project.Settings.Ultimate {
		return nil, unauthorized()
	}
	return c.project.StatusChecks, nil
}

func listStatusChecks(c *call) (reply, error) {
	all, err := c.statusChecks()
	if err != nil {
		return reply{}, err
	}
	return shown(c, all, func(s *statusCheck) (statusCheckEntity, error) { return c.showStatusCheck(s), nil })
}

type requestStatusCheckEntity struct {
	ID          int    `json:"id"`
	Name        string `json:"name"`
	ExternalURL string `json:"external_url"`
	Status      string `json:"status"`
}

// listRequestStatusChecks shows the checks of a merge request, and what they say of its head.
func listRequestStatusChecks(c *call) (reply, error) {
	if _, err := c.statusChecks(); err != nil {
		return reply{}, err
	}
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	return shown(c, c.project.checksOf(m), func(s *statusCheck) (requestStatusCheckEntity, error) {
		return requestStatusCheckEntity{s.ID, s.Name, s.URL, s.says(m)}, nil
	})
}

func createStatusCheck(c *call) (reply, error) {
	all, err := c.statusChecks()
	if err != nil {
		return reply{}, err
	}
	name, err := c.params.required("name")
	if err != nil {
		return reply{}, err
	}
	address, err := c.params.required("external_url")
	if err != nil {
		return reply{}, err
	}
	if slices.ContainsFunc(all, func(s *statusCheck) bool { return s.Name == name }) {
		return reply{}, refuse(http.StatusBadRequest, map[string][]string{"name": {"has already been taken"}})
	}
	rules, err := c.params.list("protected_branch_ids")
	if err != nil {
		return reply{}, err
	}
	s := &statusCheck{Name: name, URL: address}
	for _, rule := range rules {
		id, err := strconv.Atoi(rule)
		if err != nil {
			return reply{}, invalid("protected_branch_ids is invalid")
		}
		s.Rules = append(s.Rules, id)
	}
	s.ID = c.forge.tables.next("status_check")
	c.project.StatusChecks = append(all, s)
	c.forge.wrote()
	return reply{http.StatusCreated, c.showStatusCheck(s)}, nil
}

type statusAnswerEntity struct {
	ID                  int                `json:"id"`
	MergeRequest        requestBasicEntity `json:"merge_request"`
	ExternalStatusCheck statusCheckEntity  `json:"external_status_check"`
}

func answerStatusCheck(c *call) (reply, error) {
	all, err := c.statusChecks()
	if err != nil {
		return reply{}, err
	}
	m, err := c.request()
	if err != nil {
		return reply{}, err
	}
	id, err := c.params.integer("external_status_check_id")
	if err != nil {
		return reply{}, err
	}
	i := slices.IndexFunc(all, func(s *statusCheck) bool { return s.ID == id })
	if i < 0 {
		return reply{}, missing("")
	}
	sha, err := c.params.required("sha")
	if err != nil {
		return reply{}, err
	}
	status, err := c.params.oneOf("status", "passed", "failed", "pending")
	switch {
	case err != nil:
		return reply{}, err
	case sha != m.SHA:
		return reply{}, refuse(http.StatusConflict, "SHA does not match HEAD of source branch: "+m.SHA)
	}
	answer := &statusVerdict{ID: c.forge.tables.next("status_answer"), Request: m.IID, SHA: sha, Status: status}
	all[i].Answers = append(all[i].Answers, answer)
	c.forge.wrote()
	shownRequest, err := c.forge.showRequestBasic(c.Context(), c.project, m)
	return reply{http.StatusCreated, statusAnswerEntity{answer.ID, shownRequest, c.showStatusCheck(all[i])}}, err
}
