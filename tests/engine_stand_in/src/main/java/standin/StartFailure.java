package standin;

/** The engine cannot start; the message says why. */
public final class StartFailure extends Exception {
  public StartFailure(String message) {
    super(message);
  }
}
