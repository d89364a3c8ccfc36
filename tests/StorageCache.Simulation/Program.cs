using StorageCache.Simulation.Running;

return await SimulationCommand.Create().Parse(args).InvokeAsync().ConfigureAwait(false);
