namespace StorageCache.IO;

/// <summary>Requests in order, linked through themselves. Not thread-safe.</summary>
internal struct RequestQueue
{
    private BlockRequest? _first;
    private BlockRequest? _last;

    /// <summary>Whether there is none.</summary>
    public readonly bool IsEmpty => _first is null;

    /// <summary>Whether a request is the first.</summary>
    public readonly bool BeginsWith(BlockRequest request) => _first == request;

    /// <summary>Adds a request behind all others.</summary>
    public void AddLast(BlockRequest request)
    {
        request.Next = null;
        if (_first is null)
        {
            _first = request;
        }
        else
        {
            _last!.Next = request;
        }

        _last = request;
    }

    /// <summary>Adds the requests of another queue behind all others; that one is not to be used any more.</summary>
    public void AddLast(RequestQueue queue)
    {
        if (queue.IsEmpty)
        {
            return;
        }

        if (_first is null)
        {
            _first = queue._first;
        }
        else
        {
            _last!.Next = queue._first;
        }

        _last = queue._last;
    }

    /// <summary>Adds a request before all others.</summary>
    public void AddFirst(BlockRequest request)
    {
        request.Next = _first;
        _first = request;
        if (request.Next is null)
        {
            _last = request;
        }
    }

    /// <summary>Takes the first request, or null.</summary>
    public BlockRequest? TakeFirst()
    {
        BlockRequest? request = _first;
        if (request is not null)
        {
            _first = request.Next;
            request.Next = null;
        }

        return request;
    }
}
