package standin.deploy;

/** An artefact cannot be deployed. */
public final class DeploymentException extends Exception {
  public DeploymentException(String message) {
    super(message);
  }
}
