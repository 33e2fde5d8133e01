package httpapi

import (
	"net/http"

	"skillcenter.io/hosting"
)

// existed tells whether what is to be created can be read already. If that
// cannot be found out it does not exist, and creating tells what is wrong.
func (q *request) existed(access Access, read func(id string) error) bool {
	id := hosting.ID{Region: access.Region, Type: access.Type, Name: access.Name}
	if len(hosting.Providers(q.api.provider)) > 1 {
		id.Provider = access.Provider
	}
	if _, err := hosting.ParseID(id.String()); err != nil {
		return false
	}
	return read(id.String()) == nil
}

// created answers a creation: 201, or 200 if it existed.
func (q *request) created(kind, id string, body any, existed bool) (*reply, error) {
	answer, err := q.tagged(body)
	if err != nil {
		return nil, err
	}
	if !existed {
		answer.status = http.StatusCreated
	}
	return answer.with("Location", q.location(kind, id)), nil
}
