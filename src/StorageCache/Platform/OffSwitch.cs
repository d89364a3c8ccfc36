namespace StorageCache.Platform;

/// <summary>What takes something away from a process: an AppContext switch that is true, or an environment variable that is <c>1</c> or <c>true</c>.</summary>
/// <param name="what">What is taken away; begins a sentence.</param>
/// <param name="switchName">Name of the AppContext switch.</param>
/// <param name="variable">Name of the environment variable.</param>
internal sealed class OffSwitch(string what, string switchName, string variable)
{
    /// <summary>Why this process is to do without, as a sentence; null if it is not.</summary>
    public string? FindReason() =>
        FindReason(static name => AppContext.TryGetSwitch(name, out bool isOn) && isOn, Environment.GetEnvironmentVariable);

    /// <summary>As <see cref="FindReason()"/>, for any process.</summary>
    /// <param name="isSwitchOn">Looks a switch up.</param>
    /// <param name="getVariable">Looks a variable up; null if it is not set.</param>
    public string? FindReason(Func<string, bool> isSwitchOn, Func<string, string?> getVariable)
    {
        if (isSwitchOn(switchName))
        {
            return $"{what} is switched off: AppContext switch {switchName}.";
        }

        string? value = getVariable(variable);
        return value is "1" || string.Equals(value, "true", StringComparison.OrdinalIgnoreCase)
            ? $"{what} is switched off: environment variable {variable}."
            : null;
    }
}
