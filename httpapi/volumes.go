package httpapi

func (a *API) volumeRoutes() []route { return nil }
