package standin.http;

/** Ends a request with a status and a reason. */
public final class HttpError extends Exception {
  private final int status;

  public HttpError(int status, String message) {
    super(message);
    this.status = status;
  }

  public int status() {
    return status;
  }
}
