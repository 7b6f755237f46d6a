package devforge

import (
	"net/http"
	"slices"
)

type carRequestEntity struct {
	ID          int    `json:"id"`
	IID         int    `json:"iid"`
	ProjectID   int    `json:"project_id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	State       string `json:"state"`
	CreatedAt   moment `json:"created_at"`
	UpdatedAt   moment `json:"updated_at"`
	WebURL      string `json:"web_url"`
}

type carEntity struct {
	ID           int                  `json:"id"`
	MergeRequest carRequestEntity     `json:"merge_request"`
	User         *userEntity          `json:"user"`
	Pipeline     *pipelineBasicEntity `json:"pipeline"`
	CreatedAt    moment               `json:"created_at"`
	UpdatedAt    moment               `json:"updated_at"`
	TargetBranch string               `json:"target_branch"`
	Status       string               `json:"status"`
	MergedAt     moment               `json:"merged_at"`
	Duration     *int                 `json:"duration"`
}

func (c *call) showCar(m *mergeRequest) (carEntity, error) {
	entity := carEntity{
		MergeRequest: carRequestEntity{
			ID: m.ID, IID: m.IID, ProjectID: c.project.ID, Title: m.Title, Description: m.Description, State: m.State,
			CreatedAt: moment(m.CreatedAt), UpdatedAt: moment(m.UpdatedAt), WebURL: mergeRequestURL(c.forge, c.project, m),
		},
		TargetBranch: m.Target, Status: "idle",
	}
	if m.Car != nil {
		line := c.forge.showPipelineBasic(c.project, c.project.pipeline(m.Car.Pipeline))
		entity.ID, entity.User, entity.Pipeline, entity.Status = m.Car.ID, c.forge.showUserID(m.Car.User), &line, "fresh"
		entity.CreatedAt, entity.UpdatedAt = moment(m.Car.CreatedAt), moment(m.Car.CreatedAt)
	}
	return entity, nil
}

// trainRequest finds the merge request of the path, where the project has merge trains at all (doc/api/merge_trains.md: 403).
func (c *call) trainRequest() (*mergeRequest, error) {
	if !c.project.Settings.MergeTrains {
		return nil, forbidden()
	}
	return c.request()
}

func listCars(c *call) (reply, error) {
	if !c.project.Settings.MergeTrains {
		return reply{}, forbidden()
	}
	cars := c.project.train(c.PathValue("target_branch"))
	sort, err := c.params.oneOf("sort", "asc", "desc")
	if err != nil {
		return reply{}, err
	}
	if sort != "asc" {
		slices.Reverse(cars)
	}
	return shown(c, cars, c.showCar)
}

func getCar(c *call) (reply, error) {
	m, err := c.trainRequest()
	if err != nil {
		return reply{}, err
	}
	if m.Car == nil {
		return reply{}, missing("")
	}
	entity, err := c.showCar(m)
	return reply{body: entity}, err
}

// boardTrain answers 201 for what is on the train, and 202 for what will board it when its checks pass (doc/api/merge_trains.md).
func boardTrain(c *call) (reply, error) {
	m, err := c.trainRequest()
	if err != nil {
		return reply{}, err
	}
	argument, err := c.mergeArgument(m)
	if err != nil {
		return reply{}, err
	}
	later := argument.Auto
	if !later {
		if later, err = c.params.boolean("when_pipeline_succeeds"); err != nil {
			return reply{}, err
		}
	}
	found, err := c.forge.judge(c.Context(), c.project, m)
	if err != nil {
		return reply{}, err
	}
	status := http.StatusCreated
	switch {
	case !c.project.mayMerge(c.user, m.Target):
		return reply{}, unauthorized()
	case argument.SHA != "" && argument.SHA != m.SHA:
		return reply{}, refuse(http.StatusConflict, "SHA does not match HEAD of source branch: "+m.SHA)
	case m.Car != nil:
		return reply{}, refuse(http.StatusConflict, "The merge request is on the merge train already")
	case later && c.project.pipelineRuns(m) && found.waitsForPipeline():
		status = http.StatusAccepted
		c.forge.mergeLater(m, c.user, argument, true)
	case found.status != "mergeable":
		return reply{}, refuse(http.StatusBadRequest, "400 Bad request - The merge request could not be added to the merge train")
	default:
		if err := c.forge.board(c.Context(), c.project, m, c.user); err != nil {
			return reply{}, err
		}
	}
	entity, err := c.showCar(m)
	return reply{status, entity}, err
}
