namespace StorageCache;

/// <summary>What <see cref="Mapping.CloneAsync(string, CancellationToken)"/> has made.</summary>
/// <param name="Mapping">The clone, open.</param>
/// <param name="IsReflink">Whether it shares its blocks with its source, and so its pages in memory; else it is a plain copy.</param>
/// <param name="WhyNot">Why it is a plain copy, as a sentence; null if it is not.</param>
public readonly record struct MappingClone(Mapping Mapping, bool IsReflink, string? WhyNot);
